"""A model that the host serves: its description, its files, its loading."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobs.qwen.model_info import VoiceModel, describe_model
from jobs.qwen.speech.sound import Reference
from jobs.qwen.speech.take_length import longest_take_s, measure_rates


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

    def longest_s(self, model: VoiceModel, text: str, language: str) -> float:
        """Return the longest audio of a text that a narrator needs."""
        rate = model.s_per_character.get(language)
        if self.reference is not None and self.reference.text:
            known = [(language, self.reference.text, self.reference.duration_s)]
            rate = measure_rates(known)[language]
        return longest_take_s(text, rate)
