"""The step from curated clips with transcripts to a dataset.

``transcript_parser`` checks the lines, ``conversion_pool`` hashes and converts the audio (``clip_converter``),
``jobs.dataset`` judges the clips, ``dataset_writer`` writes them. ``work`` has the order.
"""
