"""Toy models, a toy search and toy training data: small enough for a test."""
