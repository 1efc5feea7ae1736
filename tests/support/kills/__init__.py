"""Kills at random moments, and comparisons with what was never killed."""
