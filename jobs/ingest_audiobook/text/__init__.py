"""Text of an ingest: books, subtitles, transcripts, their match with heard words, and the clip candidates of each."""
