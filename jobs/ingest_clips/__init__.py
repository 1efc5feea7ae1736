"""The step from curated clips with transcripts to a dataset.

``transcript_parser`` checks the lines, ``clip_converter`` hashes and converts the audio,
``jobs.dataset`` judges the clips, ``work`` writes them and has the order.
"""
