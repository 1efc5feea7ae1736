"""Locked environments: their locks, set-up, state and diagnosis."""
