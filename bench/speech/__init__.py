"""Measurements of speaking."""
