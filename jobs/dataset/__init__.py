"""Datasets of clips: manifest, split, rejections, quality filter, report, exchange with other tools.

Exports nothing: the server imports ``jobs.dataset.manifest`` without the libraries that the other modules need.
"""
