"""Voice of a narration, and what the audio of a take depends on."""

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip
from jobs.narrate.params import Params
from jobs.narrate.script.dialogue import USUAL, Manner
from jobs.narrate.script.passages import Passage
from jobs.qwen.devices import compute_device, limit_cpu_threads
from jobs.qwen.hub import resolve_model
from jobs.qwen.model_info import VoiceModel, describe_model
from jobs.qwen.model_stamps import Stamps, check_unchanged, read_stamps
from jobs.qwen.speech.decoding_settings import SAMPLING, Decoding
from jobs.qwen.speech.sound import Reference
from jobs.qwen.speech.synthesizer import Synthesizer, load_synthesizer
from jobs.qwen.speech.take_length import longest_take_s, measure_rates
from jobs.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Voice:
    """The voice that narrates, with its settings.

    Attributes:
        s_per_character: the narrator's pace; None: unknown.
        stamps: of the model's files.
        inputs: all that audio depends on beside the passage.
    """

    model: VoiceModel
    speaker: str | None
    language: str
    instruct: str | None
    reference: Reference | None
    s_per_character: float | None
    longest_s: float | None
    sampling: dict[str, Any]
    seed: int
    inputs: str
    stamps: Stamps

    def key(self, passage: Passage) -> str:
        """Return the name of a passage's takes: a hash of what its audio depends on."""
        manner = [] if passage.manner == USUAL else [passage.manner.speaker, passage.manner.instruct]
        return _hash(self.inputs, passage.said, passage.occurrence, *manner)[:24]

    def speaker_and_instruct(self, manner: Manner) -> tuple[str | None, str | None]:
        """Return who speaks in a manner, and how."""
        speaker = self.speaker if manner.speaker is None else self.model.speaker(manner.speaker)
        return speaker, manner.instruct or self.instruct

    def speak_as(self, synthesizer: Synthesizer, manner: Manner) -> Synthesizer:
        """Return the loaded voice with the speaker and the instruct of a manner."""
        speaker, instruct = self.speaker_and_instruct(manner)
        return replace(synthesizer, speaker=speaker, instruct=instruct)

    def decoding(self, passage: Passage, attempt: int) -> Decoding:
        """Return how an attempt at a passage is spoken; the seed follows from the passage, not from its place."""
        seed = int(_hash(self.seed, passage.said, passage.occurrence, attempt)[:8], 16) >> 1
        longest_s = self.longest_s or longest_take_s(passage.said, self.s_per_character)
        return Decoding(seed=seed, max_seconds=longest_s, **self.sampling)

    def load(self) -> Synthesizer:
        """Load the weights.

        Raises:
            UserError: ``model_changed``, those of ``load_synthesizer``.
        """
        device = compute_device()
        synthesizer = load_synthesizer(
            self.model,
            device,
            speaker=self.speaker,
            language=self.language,
            reference=self.reference,
            instruct=self.instruct,
        )
        check_unchanged(self.model.folder, self.stamps)
        n_threads = limit_cpu_threads(synthesizer.n_parameters)
        logger.info("loaded %s on %s, %d CPU threads", self.model.folder, device, n_threads)
        return synthesizer


def prepare_voice(params: Params, settings: Settings) -> Voice:
    """Check the request against the model, and describe the voice; no weights are loaded.

    Raises:
        UserError: those of ``resolve_model``, ``describe_model`` and ``read_clip``.
    """
    model = describe_model(resolve_model(params.model, settings))
    speaker = model.speaker(params.speaker)
    language = model.language(params.language, speaker)
    model.check_instruct(params.instruct)
    model.check_reference(is_given=params.ref_audio is not None)
    instruct = (params.instruct or "").strip() or None
    reference = None
    if params.ref_audio is not None:
        reference = Reference(read_clip(Path(params.ref_audio), CLIP_RATE_HZ), params.ref_text)
    rate = model.s_per_character.get(language)
    if reference is not None and reference.text:
        rate = measure_rates([(language, reference.text, reference.duration_s)])[language]
    sampling = params.model_dump(include=set(SAMPLING))
    files = [Path(params.ref_audio)] if params.ref_audio else []
    files += sorted(path for path in model.folder.glob("*.safetensors") if path.is_file())
    stamps = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    inputs = _hash(
        stamps, speaker, language, instruct, params.ref_text, rate, params.longest_passage_s, sampling, params.seed
    )
    return Voice(
        model, speaker, language, instruct, reference, rate, params.longest_passage_s, sampling, params.seed, inputs,
        read_stamps(model.folder),
    )  # fmt: skip


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
