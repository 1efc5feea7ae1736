"""Search of public sources for training settings: queries, bounded requests, parsing and a cache."""
