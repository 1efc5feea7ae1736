"""Speech of a narration: takes of passages, judged, and kept across kills and edits."""
