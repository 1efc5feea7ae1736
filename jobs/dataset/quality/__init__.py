"""Quality of clips: metrics, thresholds, rejections, reference clips.

Exports nothing: callers import the module they need, since some load heavy libraries.
"""
