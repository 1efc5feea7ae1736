"""The parts in order of worth: each lists its cases."""

from __future__ import annotations

PARTS = ("contract", "training", "presets", "upstream", "speaking", "codes", "whisper", "sharing")
"""Modules of this package; each has ``cases(setting)``."""
