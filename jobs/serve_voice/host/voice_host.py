"""All models of a host, and the names by which clients find a voice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.model_folders.voice_names import name_model
from jobs.qwen.model_info import VoiceModel
from jobs.serve_voice.host.load_gate import LoadGate
from jobs.serve_voice.host.model_thread import Limits, ModelThread
from jobs.serve_voice.host.served_model import ServedModel


@dataclass(frozen=True)
class FoundVoice:
    """A voice that a client asked for."""

    model_thread: ModelThread
    model: VoiceModel
    speaker: str | None


@dataclass(frozen=True)
class VoiceEntry:
    """A voice that clients may ask for: its name, the name of its model, and what the model can do."""

    name: str
    model: str
    kind: str
    languages: tuple[str, ...]
    takes_instruct: bool


class VoiceHost:
    """The models of a host, each with its thread."""

    def __init__(self, models: Sequence[ServedModel], limits: Limits) -> None:
        gate = LoadGate()
        self.model_threads = [ModelThread(served, limits, gate) for served in models]
        self.is_device_wanted = False
        self.used_s = time.monotonic()
        """When somebody last asked for a take."""

    def start(self) -> None:
        """Load the models, each in its thread."""
        for model_thread in self.model_threads:
            model_thread.start()

    def close(self) -> None:
        """End all takes and threads."""
        for model_thread in self.model_threads:
            model_thread.close()

    def set_device_wanted(self, *, is_device_wanted: bool) -> None:
        """Say whether another job wants the device."""
        self.is_device_wanted = is_device_wanted
        for model_thread in self.model_threads:
            model_thread.set_device_wanted(is_device_wanted=is_device_wanted)

    @property
    def is_speaking(self) -> bool:
        """True while a take is spoken or waits."""
        return any(
            state.n_running or state.n_waiting for state in (model_thread.state for model_thread in self.model_threads)
        )

    def list_voices(self) -> list[VoiceEntry]:
        """List all voices: a model's speakers, or the model itself where it has none."""
        entries = []
        for model_thread in self.model_threads:
            name, model = model_thread.served.name, model_thread.served.describe()
            for voice in _voices_of(name, model):
                takes_instruct = model.kind == "voice_design" or (model.kind != "base" and model.takes_instruct)
                entries.append(VoiceEntry(voice, name, model.kind, model.languages, takes_instruct))
        return entries

    def find(self, model: str, voice: str) -> FoundVoice:
        """Find the voice that a client names.

        Raises:
            UserError: ``model_not_served`` or ``voice_not_served``, naming what is.
        """
        model_threads = [model_thread for model_thread in self.model_threads if model_thread.served.name == model]
        if not model_threads:
            known = ", ".join(model_thread.served.name for model_thread in self.model_threads)
            raise UserError("model_not_served", f"No model {model[:80]!r} is served here.", f"Served are: {known}.")
        model_thread = model_threads[0]
        described = model_thread.served.describe()
        names = _voices_of(model_thread.served.name, described)
        has_speakers = described.kind == "custom_voice"
        if has_speakers and voice.lower() in described.speakers:
            return FoundVoice(model_thread, described, voice.lower())
        if voice == model_thread.served.name and len(names) == 1:
            return FoundVoice(model_thread, described, described.speakers[0] if has_speakers else None)
        hint = f"It has: {', '.join(names)}."
        raise UserError("voice_not_served", f"{model} has no voice {voice[:80]!r}.", hint)

    def find_folder(self, folder: str) -> ModelThread:
        """Find the thread of a model's folder.

        Raises:
            UserError: ``model_not_served``.
        """
        wanted = Path(folder)
        for model_thread in self.model_threads:
            if model_thread.served.folder == wanted:
                return model_thread
        raise UserError("model_not_served", "This model is not served here.", "Add it to the voices of serve_voice.")


def _voices_of(name: str, model: VoiceModel) -> list[str]:
    """Return the names of a model's voices."""
    return list(model.speakers) if model.kind == "custom_voice" else [name]


def make_names(refs: Sequence[str]) -> list[str]:
    """Return short names for models: the voice's, or the end of a hub id, where only one has it, else all of it."""
    short = [name_model(ref).rpartition("/")[2].replace(" ", "-") for ref in refs]
    return [one if short.count(one) == 1 else ref for one, ref in zip(short, refs, strict=True)]
