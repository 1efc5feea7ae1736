"""Proof on a GPU: one command that measures every part of the product that a GPU changes."""
