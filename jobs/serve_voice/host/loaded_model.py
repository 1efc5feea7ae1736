"""A model in memory, with its decode loops."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace

import torch

from jobs.errors import UserError
from jobs.qwen.devices import compute_device, limit_cpu_threads
from jobs.qwen.model_stamps import read_stamps
from jobs.qwen.speech.decode_loop import FIRST_POSITIONS, DecodeLoop
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.synthesizer import CACHE_BYTES, load_synthesizer
from jobs.serve_voice.host.served_model import ServedModel
from jobs.serve_voice.host.sound_decoder import SoundDecoder
from jobs.serve_voice.host.take_loop import TakeLoop
from jobs.serve_voice.host.utterance import Utterance, sampling_of

logger = logging.getLogger(__name__)

DEFAULT = sampling_of(Decoding())
SHARED, SOLO, JOB = "shared", "solo", "job"
"""The loop that takes of clients join; that of a take with other settings, or a long one; that of a job's takes."""


class LoadedModel:
    """A model in memory.

    Attributes:
        loops: running loops, by what they are for.
        stamps: of the files that were loaded.
    """

    def __init__(self, served: ServedModel, n_slots: int) -> None:
        """Load the weights.

        Raises:
            UserError: those of ``load_synthesizer``; ``model_cannot_speak``: the loop does not know its architecture.
        """
        self.stamps = read_stamps(served.folder)
        self.description = served.describe()
        device = compute_device()
        speakers = self.description.speakers
        self.synthesizer = load_synthesizer(
            self.description,
            device,
            speaker=speakers[0] if speakers and self.description.kind == "custom_voice" else None,
            language="auto",
            reference=served.reference,
            instruct="a voice" if self.description.kind == "voice_design" else None,  # each take has its own
        )
        weights = self.synthesizer.weights
        if weights is None:
            raise UserError(
                "model_cannot_speak",
                f"{served.folder} is of another architecture than the released models, so takes cannot join a loop.",
                "Use synthesize, which speaks with upstream's own loop.",
            )
        n_threads = limit_cpu_threads(self.synthesizer.n_parameters)
        self._decoder = SoundDecoder(n_threads, is_apart=device == "cpu")
        per_slot = CACHE_BYTES // weights.bytes_per_position
        self.n_slots = max(1, min(n_slots, per_slot // FIRST_POSITIONS))
        self.n_positions = FIRST_POSITIONS
        while 2 * self.n_positions * self.n_slots <= per_slot:
            self.n_positions *= 2
        self.loops = {SHARED: self._open(self.n_slots, Decoding())}
        logger.info("loaded %s on %s: %d takes at once", served.folder, device, self.n_slots)

    @property
    def is_active(self) -> bool:
        """True while a take is spoken or waits in a loop."""
        return any(loop.is_active for loop in self.loops.values())

    @property
    def n_running(self) -> int:
        """Number of takes that are spoken now."""
        return sum(loop.n_running for loop in self.loops.values())

    @property
    def has_place(self) -> bool:
        """True when a further take would be spoken at once, and its sound would not be late."""
        return self.loops[SHARED].has_place and self._decoder.n_late < self.n_slots

    def joins_shared(self, utterance: Utterance) -> bool:
        """Return whether a take can join the loop of all: with its settings, and no longer than its slots."""
        n_positions = self.synthesizer.count_positions(utterance.text, utterance.decoding)
        n_positions += len((utterance.instruct or "").encode())
        return utterance.sampling == DEFAULT and n_positions <= self.n_positions

    def count_slots(self, utterances: Sequence[Utterance]) -> int:
        """Return how many takes of a job are spoken at once: as many as in its own process."""
        voice = replace(self.synthesizer, instruct=utterances[0].instruct)
        return voice.count_slots([(utterance.text, utterance.decoding) for utterance in utterances])

    def open_loop(self, name: str, utterances: list[Utterance], n_slots: int) -> None:
        """Open a loop for takes of the same settings."""
        loop = self._open(n_slots, utterances[0].decoding)
        loop.waiting.extend(utterances)
        self.loops[name] = loop

    def step(self) -> None:
        """Decode a frame of every running take; what fails in a loop ends the takes of that loop."""
        for name, loop in list(self.loops.items()):
            try:
                loop.step()
            except UserError as error:
                loop.fail(error)
            if not loop.is_active and name != SHARED:
                del self.loops[name]

    def fail(self, error: Exception) -> None:
        """Give up all takes."""
        for loop in self.loops.values():
            loop.fail(error)

    def close(self) -> None:
        """Decode what was spoken, and end the threads."""
        self._decoder.close()

    def _open(self, n_slots: int, decoding: Decoding) -> TakeLoop:
        assert self.synthesizer.weights is not None
        return TakeLoop(self.synthesizer, DecodeLoop(self.synthesizer.weights, n_slots, decoding), self._decoder)


def return_memory() -> None:
    """Give memory that nothing uses back to the device and the system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
