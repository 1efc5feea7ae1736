"""Report of a dataset: totals, summary, pictures, HTML.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
