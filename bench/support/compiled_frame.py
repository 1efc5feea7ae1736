"""A frame of the decode loop compiled by ``torch.compile``, in the place where a GPU has its CUDA graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from jobs.qwen.speech.cuda_graph import Record
from jobs.qwen.speech.decode_loop import DecodeLoop
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.synthesizer import Synthesizer

WARM_UPS = 2


class CompiledFrame:
    """A compiled function. Compiling leaves the tensors that it changes as they were."""

    compile_s = 0.0

    def __init__(self, function: Callable[[], None], changed: Sequence[Tensor]) -> None:
        before = [tensor.clone() for tensor in changed]
        self._run = torch.compile(lambda: function(), dynamic=False)
        began = time.perf_counter()
        for _ in range(WARM_UPS):
            self._run()
            for tensor, was in zip(changed, before, strict=True):
                tensor.copy_(was)
        CompiledFrame.compile_s = time.perf_counter() - began

    def replay(self) -> None:
        """Make its operations."""
        self._run()


class PlainFrame:
    """A function that is called: the same operations on the same positions, not compiled."""

    def __init__(self, function: Callable[[], None], changed: Sequence[Tensor]) -> None:
        self.replay = function


def compare(voice: Synthesizer, takes: Sequence[tuple[str, Decoding]], clock: Callable[[], float]) -> dict[str, Any]:
    """Return frames a second of takes spoken at once: as the loop does, over all positions, and compiled."""
    rates, codes = {}, {}
    records: dict[str, Record | None] = {"ours": None, "all_positions": PlainFrame, "compiled": CompiledFrame}
    for name, record in records.items():
        rates[name], codes[name] = _decode(voice, takes, record, clock)
    same = all(torch.equal(one, other) for one, other in zip(codes["ours"], codes["compiled"], strict=True))
    return {**rates, "compile_s": round(CompiledFrame.compile_s, 1), "same_codes": same}


def _decode(
    voice: Synthesizer, takes: Sequence[tuple[str, Decoding]], record: Record | None, clock: Callable[[], float]
) -> tuple[float, list[Tensor]]:
    """Decode takes; the first frame, which records, is not counted."""
    assert voice.weights is not None
    loop = DecodeLoop(voice.weights, len(takes), takes[0][1], record=record)
    for number, (text, decoding) in enumerate(takes):
        loop.admit(voice.request(number, text, decoding))
    ended = loop.step()
    began, n_frames = clock(), 0
    while loop.n_running:
        n_frames += loop.n_running
        ended += loop.step()
    rate = n_frames / (clock() - began)
    return round(rate, 2), [take.codes for take in sorted(ended, key=lambda take: take.key)]
