"""Measurements of training, search and refinement, and of the rating that they go by."""
