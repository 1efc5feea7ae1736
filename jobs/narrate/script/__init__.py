"""Script of a narration: what is read aloud, in chapters and passages."""
