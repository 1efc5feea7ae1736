"""Plots of metrics, previews of files, and the spectrogram.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
