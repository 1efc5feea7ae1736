"""Text of an ingest: books, subtitles, transcripts, and their alignment with speech."""
