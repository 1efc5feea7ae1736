"""Input of an ingest: recordings, work units and their speech."""
