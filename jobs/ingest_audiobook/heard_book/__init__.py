"""The book's words found in what Whisper hears: match of words, judgement of differences, placement in speech."""
