"""Parts that all tools share."""
