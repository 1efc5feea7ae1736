"""All engines of a host, and the names by which clients find a voice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.qwen.model_info import VoiceModel
from jobs.serve_voice.host.engine import Engine, Limits
from jobs.serve_voice.host.load_gate import LoadGate
from jobs.serve_voice.host.served_model import ServedModel


@dataclass(frozen=True)
class FoundVoice:
    """A voice that a client asked for."""

    engine: Engine
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
    """The engines of a host."""

    def __init__(self, models: Sequence[ServedModel], limits: Limits) -> None:
        gate = LoadGate()
        self.engines = [Engine(served, limits, gate) for served in models]
        self.is_wanted = False
        self.used_s = time.monotonic()
        """When somebody last asked for a take."""

    def start(self) -> None:
        """Load the models, each in its thread."""
        for engine in self.engines:
            engine.start()

    def close(self) -> None:
        """End all takes and threads."""
        for engine in self.engines:
            engine.close()

    def set_wanted(self, *, is_wanted: bool) -> None:
        """Say whether another job wants the device."""
        self.is_wanted = is_wanted
        for engine in self.engines:
            engine.set_wanted(is_wanted=is_wanted)

    @property
    def is_speaking(self) -> bool:
        """True while a take is spoken or waits."""
        return any(state.n_running or state.n_waiting for state in (engine.state for engine in self.engines))

    def list_voices(self) -> list[VoiceEntry]:
        """List all voices: a model's speakers, or the model itself where it has none."""
        entries = []
        for engine in self.engines:
            name, model = engine.served.name, engine.served.describe()
            for voice in _voices_of(name, model):
                takes_instruct = model.kind == "voice_design" or (model.kind != "base" and model.takes_instruct)
                entries.append(VoiceEntry(voice, name, model.kind, model.languages, takes_instruct))
        return entries

    def find(self, model: str, voice: str) -> FoundVoice:
        """Find the voice that a client names.

        Raises:
            UserError: ``model_not_served`` or ``voice_not_served``, naming what is.
        """
        engines = [engine for engine in self.engines if engine.served.name == model]
        if not engines:
            known = ", ".join(engine.served.name for engine in self.engines)
            raise UserError("model_not_served", f"No model {model[:80]!r} is served here.", f"Served are: {known}.")
        engine = engines[0]
        described = engine.served.describe()
        names = _voices_of(engine.served.name, described)
        has_speakers = described.kind == "custom_voice"
        if has_speakers and voice.lower() in described.speakers:
            return FoundVoice(engine, described, voice.lower())
        if voice == engine.served.name and len(names) == 1:
            return FoundVoice(engine, described, described.speakers[0] if has_speakers else None)
        hint = f"It has: {', '.join(names)}."
        raise UserError("voice_not_served", f"{model} has no voice {voice[:80]!r}.", hint)

    def find_folder(self, folder: str) -> Engine:
        """Find the engine of a model's folder.

        Raises:
            UserError: ``model_not_served``.
        """
        wanted = Path(folder)
        for engine in self.engines:
            if engine.served.folder == wanted:
                return engine
        raise UserError("model_not_served", "This model is not served here.", "Add it to the voices of serve_voice.")


def _voices_of(name: str, model: VoiceModel) -> list[str]:
    """Return the names of a model's voices."""
    return list(model.speakers) if model.kind == "custom_voice" else [name]


def make_names(refs: Sequence[str]) -> list[str]:
    """Return short names for models: the last part of a path or hub id, where only one has it, else all of it."""
    short = [Path(ref).name for ref in refs]
    return [one if short.count(one) == 1 else ref for one, ref in zip(short, refs, strict=True)]
