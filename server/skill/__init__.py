"""Installation of the Agent Skill and of the MCP entry in clients' configurations, and a bundle for desktop clients."""
