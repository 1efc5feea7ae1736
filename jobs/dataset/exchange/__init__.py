"""Datasets in other tools' layouts, written through their own libraries, read without them.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
