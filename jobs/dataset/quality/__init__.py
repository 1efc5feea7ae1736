"""Quality of clips: metrics, limits, judging."""
