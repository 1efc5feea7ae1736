"""Audio files in and out, and signal measures of a clip.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
