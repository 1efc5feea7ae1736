"""Cutting of clips: from speech and words to clip candidates, and the account of every sample of a chunk."""
