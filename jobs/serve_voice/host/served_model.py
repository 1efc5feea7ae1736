"""A model that the host serves: its description, its files, its loading."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.qwen.model_files import CODEC
from jobs.qwen.model_info import VoiceModel, describe_model
from jobs.qwen.speech.sound import Reference
from jobs.qwen.speech.take_length import longest_take_s, measure_rates

Stamps = tuple[tuple[str, int, int], ...]
CONFIG, WEIGHTS = "config.json", "*.safetensors"
STILL_S = 1.0
"""Files that were written so shortly ago may still be written."""


def is_still(stamps: Stamps) -> bool:
    """Return whether nothing was written to files just now. A time in the future, of another clock, counts as none."""
    return not any(0 <= time.time() - written_ns / 1e9 < STILL_S for _, _, written_ns in stamps)


@dataclass(frozen=True)
class ServedModel:
    """A model that the host serves.

    Attributes:
        name: by which clients name it.
        reference: clip that a base model clones.
    """

    name: str
    folder: Path
    reference: Reference | None = None

    def describe(self) -> VoiceModel:
        """Read the model's description as its files are now. Raises ``UserError``: those of ``describe_model``."""
        return describe_model(self.folder)

    def read_stamps(self) -> Stamps:
        """Return size and time of what is loaded: with other ones the model must be loaded anew."""
        files = (self.folder / CONFIG, *(file for name in ("", CODEC) for file in (self.folder / name).glob(WEIGHTS)))
        stamps = []
        for file in sorted(files):
            with suppress(FileNotFoundError):  # it is being replaced
                stamps.append((str(file), file.stat().st_size, file.stat().st_mtime_ns))
        return tuple(stamps)

    def longest_s(self, model: VoiceModel, text: str, language: str) -> float:
        """Return the longest audio of a text that a narrator needs."""
        rate = model.s_per_character.get(language)
        if self.reference is not None and self.reference.text:
            known = [(language, self.reference.text, self.reference.duration_s)]
            rate = measure_rates(known)[language]
        return longest_take_s(text, rate)
