"""Measurements of the work on a dataset: ingest, clip quality, alignment, codes."""
