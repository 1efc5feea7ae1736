"""Audio files in and out, and signal measures of a clip.

Exports no module: callers import the one they need, since some load heavy libraries.
"""

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".m4a", ".m4b", ".mp4", ".aac", ".ogg", ".oga", ".opus", ".webm", ".mkv")
"""Suffixes of the audio files that are looked for in folders and in foreign datasets."""
