"""The step that gives every word of every clip a time and a score.

``work`` reads the manifest and asks ``journaled_aligner`` for each clip; ``align_clip`` aligns one clip:
``word_mapping`` (written to spoken words), ``aligners`` (times), ``word_boundaries`` (fit to the audio), ``trim`` (a
border that cuts a word moves to a pause). ``trimmed_clip`` writes what ``trim`` has kept.
"""
