"""The base is asked before training whether it agrees with our alignment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.errors import UserError
from jobs.qwen.loading import load_base
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.qwen.train.alignment_probe import Probe, check_base, probe
from jobs.qwen.train.loss import loss_sums, predict, total_loss
from jobs.qwen.train.sequence_layout import Batch, ControlIds, Example, collate, tokenise_text

N_FRAMES = 12


@pytest.fixture
def base(tmp_path: Path) -> Any:
    """An untrained toy with a small codebook, quick to teach."""
    return load_base(make_toy_base(tmp_path / "toy", shape="1.7b", codebook_size=64), "cpu", torch.float32)


@pytest.fixture
def batch(base: Any) -> Batch:
    """Two clips of random codes."""
    rng = torch.Generator().manual_seed(0)
    clips = [
        Example(
            tokenise_text(base, text),
            torch.randint(0, 64, (N_FRAMES, 16), generator=rng),
            "english",
            torch.zeros(64),
        )
        for text in ("hello there", "quick brown fox")
    ]
    return collate(clips, ControlIds.from_config(base.model.config))


def teach(model: Any, batch: Batch, n_steps: int = 60) -> None:
    """Over-fit a batch."""
    optimiser = torch.optim.AdamW(model.talker.parameters(), lr=5e-3)
    for _ in range(n_steps):
        sums = loss_sums(predict(model, batch), batch)
        loss = total_loss(sums, n_talker=sums.n_talker, n_predictor=sums.n_predictor, code_predictor_weight=1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_a_base_with_random_weights_is_inconclusive(base: Any, batch: Batch) -> None:
    found = probe(base.model, [batch])

    assert found.verdict == "inconclusive"
    assert found.talker_next == pytest.approx(found.talker_uniform, rel=0.02)
    assert check_base(found, "toy") == "inconclusive"


def test_a_base_that_was_taught_as_it_speaks_is_aligned(base: Any, batch: Batch) -> None:
    teach(base.model, batch)

    found = probe(base.model, [batch])

    assert found.talker_next < 0.5 < found.talker_after
    assert found.predictor_own < 0.5 * found.predictor_next
    assert check_base(found, "toy") == "aligned"


def test_a_base_that_was_taught_with_doubled_shifts_is_refused(base: Any, batch: Batch) -> None:
    frame_after_next = batch.labels.roll(-1)
    teach(base.model, replace(batch, labels=frame_after_next))

    found = probe(base.model, [batch])

    assert found.talker_after < found.talker_next
    with pytest.raises(UserError, match="frame after it") as refused:
        check_base(found, "a stranger's checkpoint")
    assert refused.value.code == "base_misaligned"


def test_one_wrong_part_is_enough_to_refuse() -> None:
    found = Probe(
        talker_next=6.05, talker_after=11.03, talker_uniform=8.03,
        predictor_own=9.9, predictor_next=5.2, predictor_uniform=7.62,
    )  # fmt: skip

    assert found.verdict == "misaligned"


def test_the_figures_reported_for_the_released_base_are_aligned() -> None:
    # upstream issue 371: released 1.7B, codebook 0 at t+1 and t+2, own and next codebook
    found = Probe(
        talker_next=6.05, talker_after=11.03, talker_uniform=8.03,
        predictor_own=7.24, predictor_next=10.03, predictor_uniform=7.62,
    )  # fmt: skip

    assert found.verdict == "aligned"
    assert f"{found}" == "next frame 6.05 nats, the frame after it 11.03; own codebook 7.24, next codebook 10.03"
