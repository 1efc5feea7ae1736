"""Speaker encoders and the narrator's profile.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
