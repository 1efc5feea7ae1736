"""Output of an ingest: clips, state, report."""
