"""Repeated jobs: schedules and the rules that say when they are due."""
