"""Input of an ingest: the recordings, their division into work units, and the decoded audio of a unit in chunks."""
