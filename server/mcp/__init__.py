"""The MCP server: its protocol handlers, and the transports stdio and HTTP."""
