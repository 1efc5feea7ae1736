"""Codec's decoder in a thread of its own, so that frames are decoded to sound while the next ones are spoken."""

from __future__ import annotations

import itertools
import logging
import math
import queue
import threading
from dataclasses import dataclass

import torch
from torch import Tensor

from jobs.codec_format import SAMPLES_PER_FRAME
from jobs.qwen.codec import full_float32
from jobs.qwen.speech.codec_stream import CodecStream
from jobs.qwen.speech.synthesizer import Synthesizer, max_frames
from jobs.serve_voice.host.utterance import Utterance

logger = logging.getLogger(__name__)


class SpokenTake:
    """A take whose codes are decoded to sound, in the order in which its parts are given."""

    def __init__(self, synthesizer: Synthesizer, utterance: Utterance) -> None:
        self._synthesizer, self.utterance = synthesizer, utterance
        self._codec: CodecStream | None = None

    def decode(self, codes: Tensor) -> None:
        """Decode the next frames of a stream."""
        if self._codec is None:
            self._codec = CodecStream(self._synthesizer.upstream.model.speech_tokenizer)
            before = self._synthesizer.reference_codes
            if before is not None:
                self._codec.decode(before.cpu())
        self.utterance.sink.sound(self._codec.decode(codes))

    def end(self, codes: Tensor, compute_s: float) -> None:
        """Decode all frames at once where it is no stream, and report the end."""
        n_most = max_frames(self.utterance.decoding)
        if not self.utterance.is_streamed:
            with torch.inference_mode():
                self.utterance.sink.sound(self._synthesizer.decode(codes)[: n_most * SAMPLES_PER_FRAME])
        self.utterance.sink.ended(hit_limit=len(codes) > n_most, compute_s=compute_s)


@dataclass(frozen=True)
class _Part:
    """Frames to decode; ``compute_s`` is given with the end of a take and all of its codes."""

    take: SpokenTake
    codes: Tensor
    compute_s: float | None = None


class SoundDecoder:
    """Thread that decodes; takes whose sound begins come first.

    On a GPU the caller's own thread: a graph is not recorded while another one computes.
    """

    def __init__(self, n_threads: int, *, is_apart: bool) -> None:
        self._parts: queue.PriorityQueue[tuple[float, int, _Part | None]] = queue.PriorityQueue()
        self._order = itertools.count()
        self._n_ends, self._n_ended = 0, 0
        self._n_threads = n_threads
        self._thread = threading.Thread(target=self._run, name="sound", daemon=True) if is_apart else None
        if self._thread is not None:
            self._thread.start()

    @property
    def n_late(self) -> int:
        """Number of takes that have left the decode loop and are not sound yet."""
        return self._n_ends - self._n_ended

    def decode(self, take: SpokenTake, codes: Tensor, n_before: int) -> None:
        """Decode the next frames of a stream, of which so many came before."""
        self._give(n_before, _Part(take, codes))

    def end(self, take: SpokenTake, codes: Tensor, compute_s: float) -> None:
        """Report the end of a take, with all of its codes."""
        self._n_ends += 1
        self._give(len(codes), _Part(take, codes, compute_s))

    def close(self) -> None:
        """Decode what was given, and end the thread."""
        self._parts.put((math.inf, next(self._order), None))
        if self._thread is not None:
            self._thread.join()

    def _give(self, place: int, part: _Part) -> None:
        if self._thread is None:
            self._decode(part)
        else:
            self._parts.put((place, next(self._order), part))

    def _run(self) -> None:
        torch.set_num_threads(self._n_threads)
        with full_float32():
            while (part := self._parts.get()[2]) is not None:
                self._decode(part)

    def _decode(self, part: _Part) -> None:
        utterance = part.take.utterance
        try:
            if utterance.is_cancelled:
                return
            if part.compute_s is None:
                part.take.decode(part.codes)
            else:
                part.take.end(part.codes, part.compute_s)
        except Exception as error:
            logger.exception("a take could not be decoded to sound")
            utterance.is_cancelled = True
            utterance.sink.failed(error)
        finally:
            self._n_ended += part.compute_s is not None
