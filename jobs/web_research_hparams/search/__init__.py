"""Search of public sources for training settings."""
