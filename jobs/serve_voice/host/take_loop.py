"""A running decode loop with the takes that wait for its slots."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch

from jobs.errors import UserError
from jobs.qwen.speech.decode_loop import DecodeLoop
from jobs.qwen.speech.synthesizer import FIRST_BLOCK_FRAMES, MOST_BLOCK_FRAMES, Synthesizer
from jobs.qwen.speech.takes import Slot
from jobs.serve_voice.host.sound_decoder import SoundDecoder, SpokenTake
from jobs.serve_voice.host.utterance import Utterance


@dataclass
class _Running:
    """A take in a slot."""

    take: SpokenTake
    slot: Slot
    n_sent: int = 0
    n_block: int = FIRST_BLOCK_FRAMES


class TakeLoop:
    """Takes that share the settings of sampling, in one loop: each joins when a slot is free."""

    def __init__(self, synthesizer: Synthesizer, loop: DecodeLoop, decoder: SoundDecoder) -> None:
        self.waiting: deque[Utterance] = deque()
        self._synthesizer, self._loop, self._decoder = synthesizer, loop, decoder
        self._running: dict[int, _Running] = {}
        self._n_admitted = 0

    @property
    def is_active(self) -> bool:
        """True while a take is spoken or waits."""
        return bool(self._running or self.waiting)

    @property
    def n_running(self) -> int:
        """Number of takes in slots."""
        return len(self._running)

    @property
    def has_place(self) -> bool:
        """True when a further take would get a slot at once."""
        return len(self._running) + len(self.waiting) < len(self._loop.slots)

    def step(self) -> None:
        """Free the slots of takes for which no client waits, fill free ones, and decode a frame of each.

        Raises:
            UserError: ``model_broken``; no take of the loop goes on.
        """
        for key, running in list(self._running.items()):
            if running.take.utterance.is_cancelled:
                self._loop.cancel(running.slot)
                del self._running[key]
        while self.waiting and None in self._loop.slots:
            self._admit(self.waiting.popleft())
        if not self._running:
            return
        ended = {take.key: take for take in self._loop.step()}
        for key, running in list(self._running.items()):
            if running.take.utterance.is_streamed:
                self._send(running, is_last=key in ended)
            if key in ended:
                self._decoder.end(running.take, ended[key].codes, ended[key].compute_s)
                del self._running[key]

    def fail(self, error: Exception) -> None:
        """Give up all takes."""
        for utterance in (*(running.take.utterance for running in self._running.values()), *self.waiting):
            fail([utterance], error)
        for running in self._running.values():
            self._loop.cancel(running.slot)
        self._running.clear()
        self.waiting.clear()

    def _admit(self, utterance: Utterance) -> None:
        if utterance.is_cancelled:
            return
        voice = replace(
            self._synthesizer,
            speaker=utterance.speaker,
            language=utterance.language,
            instruct=utterance.instruct,
        )
        self._n_admitted += 1
        try:
            request = voice.request(self._n_admitted, utterance.text, utterance.decoding)
            utterance.n_text_tokens = voice.count_tokens(utterance.text)
        except (UserError, ValueError) as error:
            fail([utterance], error)
            return
        slot = self._loop.admit(request)
        self._running[request.key] = _Running(SpokenTake(voice, utterance), slot)

    def _send(self, running: _Running, *, is_last: bool) -> None:
        slot = running.slot
        n_ready = min(len(slot.frames), slot.max_frames)
        n_new = n_ready - running.n_sent
        if n_new and (n_new >= running.n_block or is_last):
            codes = torch.tensor(slot.frames[running.n_sent : n_ready])
            self._decoder.decode(running.take, codes, running.n_sent)
            running.n_sent, running.n_block = n_ready, min(2 * running.n_block, MOST_BLOCK_FRAMES)


def fail(utterances: Iterable[Utterance], error: Exception) -> None:
    """Report to those who wait for takes that these are not spoken."""
    for utterance in utterances:
        if not utterance.is_cancelled:
            utterance.is_cancelled = True
            utterance.sink.failed(error)
