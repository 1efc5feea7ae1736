"""Plan of a training run: presets, resolved settings, memory, disk and time, all without torch.

A dry run shows it; the worker uses the same functions, so both agree.
"""
