"""The MCP server and the command line: every way to call the tools."""
