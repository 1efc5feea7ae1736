"""The main job on the embedded sample, driven through the real MCP server as an agent would drive it."""
