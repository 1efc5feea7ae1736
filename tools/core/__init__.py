"""Parts that all tools share: the registry, the start of jobs, the views of answers."""
