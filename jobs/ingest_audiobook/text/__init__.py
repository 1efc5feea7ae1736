"""Text of an ingest: books, subtitles and transcripts, and the clip candidates that each source of text gives."""
