"""Corrections of a dataset by people and agents: the record of what they said, and the manifest that follows from it.

``corrections.jsonl`` in the dataset's folder is only ever added to. The manifest is computed from it and from the
manifest that the ingest made, which is kept beside it; so to apply them twice, or again after a kill, is the same.
"""
