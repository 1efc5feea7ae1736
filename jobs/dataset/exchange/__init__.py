"""Datasets in other tools' layouts, read and written through those tools' own libraries where they have one.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
