"""Measurements of the job runner."""
