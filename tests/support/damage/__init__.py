"""Recordings of people with damage made in code, for tests and benches of the rating."""
