"""Text normalisation, pronunciation and matching.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
