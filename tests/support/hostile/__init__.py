"""Builders of hostile inputs: small functions that write one and return its path."""
