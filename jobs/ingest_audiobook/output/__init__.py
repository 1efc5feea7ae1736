"""Output of an ingest: clips built unit by unit by worker processes, the state to resume from, and the report."""
