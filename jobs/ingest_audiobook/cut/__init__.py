"""Cutting of clips: candidates, bounds, accounting of every sample."""
