"""Packed clips are learnt as if each were alone, and without padding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from jobs.qwen.toy.config import Shape
from jobs.qwen.train.loss import loss_sums, predict
from jobs.qwen.train.packing import pack
from jobs.qwen.train.sequence_layout import ControlIds, Example, collate, tokenise_instruct, tokenise_text


def clips_for(base: Any) -> list[Example]:
    rng = torch.Generator().manual_seed(0)
    texts = (("hi", 3, "auto", ""), ("the quick brown fox", 8, "english", "slowly"), ("jumps", 5, "german", ""))
    return [
        Example(
            tokenise_text(base, text), torch.randint(0, 256, (n, 16), generator=rng), language, torch.ones(64),
            tokenise_instruct(base, instruct),
        )
        for text, n, language, instruct in texts
    ]  # fmt: skip


@pytest.mark.parametrize("shape", ["0.6b", "1.7b"])
def test_a_packed_row_gives_the_predictions_of_the_padded_batch(load_toy: Callable[[Shape], Any], shape: Shape) -> None:
    base = load_toy(shape)
    clips = clips_for(base)
    batch = collate(clips, ControlIds.from_config(base.model.config))
    packed = pack(batch, [clip.length for clip in clips])

    with torch.no_grad():
        wanted, found = predict(base.model, batch), predict(base.model, packed)

    assert packed.text.shape == (1, sum(clip.length for clip in clips))
    torch.testing.assert_close(found.talker, wanted.talker, rtol=0, atol=2e-5)
    torch.testing.assert_close(found.predictor, wanted.predictor, rtol=0, atol=2e-5)


def test_clips_of_a_packed_row_do_not_see_each_other(load_toy: Callable[[Shape], Any]) -> None:
    base = load_toy("1.7b")
    clips = clips_for(base)
    other = replace(clips[0], codes=(clips[0].codes + 1) % 256)
    ids = ControlIds.from_config(base.model.config)
    lengths = [clip.length for clip in clips]

    with torch.no_grad():
        found = predict(base.model, pack(collate(clips, ids), lengths)).talker
        changed = predict(base.model, pack(collate([other, *clips[1:]], ids), lengths)).talker

    first = len(clips[0].codes) + 1
    assert not torch.equal(found[:first], changed[:first])
    assert torch.equal(found[first:], changed[first:])


def test_a_subset_of_frames_is_scored_as_in_the_whole(load_toy: Callable[[Shape], Any]) -> None:
    base = load_toy("1.7b")
    batch = collate(clips_for(base), ControlIds.from_config(base.model.config))
    chosen = torch.tensor([1, 4, 15])
    subset = replace(batch, predicted=chosen)

    with torch.no_grad():
        whole, part = predict(base.model, batch), predict(base.model, subset)
        sums = loss_sums(part, subset)

    torch.testing.assert_close(part.predictor, whole.predictor[chosen], rtol=0, atol=1e-5)
    assert torch.equal(part.talker, whole.talker)
    assert sums.n_predictor == 3 * 15
    expected = torch.nn.functional.cross_entropy(
        whole.predictor[chosen].flatten(0, 1), batch.codes[chosen, 1:].flatten(), reduction="sum"
    )
    assert float(sums.predictor) == pytest.approx(float(expected), rel=1e-5)
