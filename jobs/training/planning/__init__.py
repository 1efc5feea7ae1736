"""Planning of a run: memory, time, presets, resolved settings. No torch."""
