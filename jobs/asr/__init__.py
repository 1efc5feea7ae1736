"""Speech recognition and forced alignment. The only importer of ``whisperx`` and ``faster_whisper``."""
