"""Instruments of the rating: what each hears, and its limits for a narrator.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
