"""Measurements of the MCP server and its tools."""
