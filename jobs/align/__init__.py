"""The step that gives every word of every clip a time and a score.

``work`` reads the manifest and keeps a journal of the clips; ``align_clip`` aligns one clip:
``word_mapping`` (written to spoken words), ``aligners`` (times), ``word_boundaries`` (fit to the audio), ``trim`` (a
border that cuts a word moves to a pause).
"""
