"""HTTP parts of the server: bearer tokens of the MCP server, and the server of a page."""
