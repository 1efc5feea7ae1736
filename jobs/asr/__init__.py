"""Speech recognition and forced alignment. The only importer of ``whisperx`` and ``faster_whisper``.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
