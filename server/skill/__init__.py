"""Installation of the Agent Skill and of client configurations."""
