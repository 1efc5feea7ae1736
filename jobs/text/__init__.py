"""Text normalisation and pronunciation.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
