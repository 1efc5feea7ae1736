"""The decode loop speaks what stock speaks: equal codes in all 16 codebooks, alone, in a batch, in a used slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from jobs.errors import UserError
from jobs.qwen.speech.cuda_graph import Record, Recording
from jobs.qwen.speech.decode_loop import DecodeLoop
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.synthesizer import Synthesizer
from jobs.qwen.speech.takes import DecodedTake
from jobs.qwen.toy.config import Shape
from tests.jobs.qwen.speech.conftest import Load

TEXTS = ("hello there, said the quick fox", "yes", "good morning to you all, it was a long day")
MAX_FRAMES = 6
SETTINGS = {
    "greedy": Decoding(greedy=True),
    "sampled": Decoding(seed=5, temperature=0.7, top_k=20, top_p=0.8, repetition_penalty=1.3, subtalker_top_p=0.7),
}
WAITS = ("_local_scalar_dense", "nonzero", "_to_copy", "is_nonzero", "equal")
"""Operations for which the program waits for the device, or copies to it."""


def decode(
    voice: Synthesizer,
    decoding: Decoding,
    n_slots: int,
    seeds: tuple[int, ...] = (),
    n_positions: int = 512,
    end: int | None = None,
    record: Record | None = None,
) -> list[DecodedTake]:
    """Takes of the texts by our loop, in the order of the texts; ``end`` ends a take in the place of the model's."""
    assert voice.weights is not None
    loop = DecodeLoop(voice.weights, n_slots, decoding, n_positions, record)
    takes = zip(TEXTS, seeds or [decoding.seed] * len(TEXTS), strict=True)
    requests = []
    for number, (text, seed) in enumerate(takes):
        request = voice.request(number, text, decoding)
        prompt = request.prompt if end is None else replace(request.prompt, end=end)
        requests.append(replace(request, prompt=prompt, max_frames=MAX_FRAMES, seed=seed))
    return sorted(loop.run(requests), key=lambda take: take.key)


def are_equal(takes: list[DecodedTake], codes: list[torch.Tensor]) -> bool:
    return all(torch.equal(take.codes, each) for take, each in zip(takes, codes, strict=True))


@pytest.mark.parametrize(("shape", "settings"), [("0.6b", "greedy"), ("1.7b", "greedy"), ("1.7b", "sampled")])
def test_codes_are_stocks_alone_in_a_batch_and_in_a_used_slot(
    shape: Shape, settings: str, load_voice: Load, stock_codes: Callable[..., torch.Tensor]
) -> None:
    voice, decoding = load_voice(shape), SETTINGS[settings]
    expected = [stock_codes(voice, text, decoding, MAX_FRAMES) for text in TEXTS]

    alone, together = (decode(voice, decoding, n_slots) for n_slots in (1, 2))

    assert max(len(torch.unique(codes)) for codes in expected) > 40  # it wanders, or a wrong frame could hide
    assert are_equal(alone, expected)
    assert are_equal(together, expected)


def test_a_take_is_decided_by_its_seed_and_not_by_the_takes_beside_it(load_voice: Load) -> None:
    voice = load_voice("0.6b")

    first, second = (decode(voice, SETTINGS["sampled"], 3, seeds) for seeds in ((1, 2, 3), (4, 2, 5)))

    assert [torch.equal(a.codes, b.codes) for a, b in zip(first, second, strict=True)] == [False, True, False]


def test_a_take_ends_where_stocks_does_and_one_without_an_end_is_stopped_a_frame_after_its_limit(
    load_voice: Load, stock_codes: Callable[..., torch.Tensor]
) -> None:
    voice, decoding = load_voice("1.7b"), SETTINGS["greedy"]
    endless = decode(voice, decoding, 1)
    # each code is made the end in turn: the one of the second frame may not end a take there
    ends = [int(endless[0].codes[frame, 0]) for frame in (1, 4)]

    ended = [decode(voice, decoding, 2, end=end) for end in ends]

    stocks = [stock_codes(voice, TEXTS[0], decoding, MAX_FRAMES, eos_token_id=end) for end in ends]
    assert [len(take.codes) for take in endless] == [MAX_FRAMES + 1] * len(TEXTS)
    assert len(stocks[1]) == 4
    assert [torch.equal(takes[0].codes, codes) for takes, codes in zip(ended, stocks, strict=True)] == [True, True]
    assert [len(take.codes) for take in ended[1]] == [4, MAX_FRAMES + 1, 3]  # the third in the slot of the first


def test_a_model_that_computes_no_numbers_is_refused(load_voice: Load) -> None:
    voice = load_voice("0.6b")
    norm = voice.upstream.model.talker.model.layers[1].input_layernorm.weight
    saved = norm.detach().clone()
    norm.data[3] = torch.nan
    try:
        with pytest.raises(UserError) as refused:
            decode(voice, SETTINGS["sampled"], 2)
    finally:
        norm.data.copy_(saved)

    assert refused.value.code == "model_broken"


def test_caches_grow_with_a_take_and_change_nothing(load_voice: Load) -> None:
    voice = load_voice("0.6b")

    small, large = (decode(voice, SETTINGS["greedy"], 2, n_positions=n_positions) for n_positions in (8, 512))

    assert are_equal(small, [take.codes for take in large])


class _Operations(TorchDispatchMode):
    """Counter of operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_a_free_slot_stays_where_it_is_and_a_cancelled_take_leaves_its_slot_to_the_next(load_voice: Load) -> None:
    voice, decoding = load_voice("0.6b"), SETTINGS["sampled"]
    assert voice.weights is not None
    loop = DecodeLoop(voice.weights, 2, decoding, 48)
    ask = replace(voice.request(0, TEXTS[0], decoding), max_frames=20)
    alone = next(loop.run([ask]))

    again = [next(loop.run([ask])) for _ in range(3)]  # the other slot is free for longer than its cache is
    stopped = loop.admit(replace(ask, seed=9))
    beside = loop.admit(ask)
    for _ in range(4):
        loop.step()
    loop.cancel(stopped)
    loop.cancel(stopped)
    last = [take for _ in range(17) for take in loop.step()]

    assert all(torch.equal(take.codes, alone.codes) for take in again)
    assert [len(take.codes) for take in last] == [21]
    assert torch.equal(last[0].codes, alone.codes)
    assert (len(stopped.frames), len(beside.frames), loop.n_running) == (4, 21, 0)


def test_a_frame_waits_for_the_device_once_and_makes_no_more_operations_when_it_is_late(load_voice: Load) -> None:
    voice, decoding = load_voice("0.6b"), Decoding(seed=1)
    assert voice.weights is not None
    loop = DecodeLoop(voice.weights, 2, decoding)
    for number in range(2):
        loop.admit(replace(voice.request(number, TEXTS[number], decoding), max_frames=50))
    counts = []
    for _ in range(3):
        with _Operations() as operations:
            loop.step()
        counts.append(len(operations.names))
        # codes.tolist() is the one wait of a frame, and no operation on the CPU
        assert not [name for name in operations.names if name in WAITS]

    assert len(set(counts)) == 1


class _Recorder:
    """Recorder of frames that makes them again on the CPU, and checks that the memory stays where it was."""

    def __init__(self) -> None:
        self.n_recorded = self.n_replayed = 0

    def __call__(self, frame: Callable[[], None], changed: Sequence[torch.Tensor]) -> _Recorder:
        self.n_recorded += 1
        self._frame, self._changed = frame, changed
        self._at = [tensor.data_ptr() for tensor in changed]
        return self

    def replay(self) -> None:
        self.n_replayed += 1
        self._frame()
        assert [tensor.data_ptr() for tensor in self._changed] == self._at


@pytest.mark.parametrize("n_slots", [1, 2])
def test_a_recorded_frame_decodes_the_same_and_is_recorded_again_when_caches_grow(
    n_slots: int, load_voice: Load
) -> None:
    voice, recorder = load_voice("0.6b"), _Recorder()
    expected = decode(voice, SETTINGS["sampled"], n_slots)
    longest = max(voice.request(0, text, SETTINGS["sampled"]).prompt.n_positions for text in TEXTS)

    takes = decode(voice, SETTINGS["sampled"], n_slots, n_positions=longest, record=recorder)

    assert are_equal(takes, [take.codes for take in expected])
    assert recorder.n_replayed == (MAX_FRAMES + 1) * (3 if n_slots == 1 else 2)
    assert recorder.n_recorded == 2


def test_a_frame_that_cannot_be_recorded_is_decoded_operation_by_operation(load_voice: Load) -> None:
    def fail(frame: Callable[[], None], changed: Sequence[torch.Tensor]) -> Recording:
        raise RuntimeError("operation not permitted when stream is capturing")

    voice = load_voice("0.6b")

    takes = decode(voice, SETTINGS["greedy"], 2, record=fail)

    assert are_equal(takes, [take.codes for take in decode(voice, SETTINGS["greedy"], 2)])
