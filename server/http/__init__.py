"""HTTP parts shared by the MCP server and the listening page: listener, request limits, bearer tokens."""
