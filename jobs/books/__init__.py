"""Books as files: EPUB, HTML, text in any encoding, within bounds.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
