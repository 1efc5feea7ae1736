"""Rating of takes: the score formula and human ratings.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
