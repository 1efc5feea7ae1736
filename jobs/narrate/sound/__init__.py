"""Sound of a narration: pauses, loudness, peaks and audio files."""
