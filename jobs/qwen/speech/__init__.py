"""Speech of a model: its sampling settings, the longest a take may be, and the synthesizer."""
