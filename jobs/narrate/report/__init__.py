"""Subtitles and report of a narration."""
