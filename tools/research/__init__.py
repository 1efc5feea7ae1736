"""Parts of the tools that give training settings."""
