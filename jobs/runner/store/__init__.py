"""The job store: one SQLite file."""
