"""Speech as Whisper hears it, and the book's words in it: match, judgement of differences, placement."""
