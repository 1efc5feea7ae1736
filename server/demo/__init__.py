"""The demo: all steps on the embedded sample, called through the real MCP server as an agent calls them."""
