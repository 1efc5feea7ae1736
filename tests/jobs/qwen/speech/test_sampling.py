"""Choice of codes: what transformers' processors and ``torch.multinomial`` choose, row by row."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.sampling import Choice, penalise
from jobs.qwen.upstream import qwen_tts

N_ROWS, N_CODES = 200, 300


@pytest.fixture
def stock() -> Any:
    """The module of transformers' processors."""
    qwen_tts()  # before transformers
    from transformers.generation import logits_process

    return logits_process


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(0.9, 50, 1.0), (1.0, 3000, 1.0), (0.5, 300, 0.3), (2.0, 7, 0.9)]
)
def test_a_row_with_its_own_generator_gets_the_code_that_stock_chooses_with_its_seed(
    temperature: float, top_k: int, top_p: float, stock: Any
) -> None:
    scores = torch.randn(N_ROWS, N_CODES, generator=torch.Generator().manual_seed(0)) * 3
    scores[:, 5] = scores[:, 6]  # equal ones, also where the last of the likeliest is
    noise = torch.empty(N_ROWS, N_CODES)
    for seed, row in enumerate(noise):
        row.exponential_(generator=torch.Generator().manual_seed(seed))

    chosen = Choice(False, temperature, top_k, top_p).choose(scores.clone(), noise)

    warpers = [stock.TemperatureLogitsWarper(temperature), stock.TopKLogitsWarper(top_k)]
    warpers += [stock.TopPLogitsWarper(top_p)] if top_p < 1 else []
    probabilities = stock.LogitsProcessorList(warpers)(torch.zeros(N_ROWS, 0, dtype=torch.long), scores).softmax(-1)
    expected = []
    for seed, row in enumerate(probabilities):
        torch.manual_seed(seed)
        expected.append(int(torch.multinomial(row[None], 1)))
    assert chosen[:, 0].tolist() == expected
    assert len(set(expected)) > 20


def test_choices_follow_the_distribution() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    n = 20_000
    noise = torch.empty(n, 4).exponential_(generator=torch.Generator().manual_seed(0))

    chosen = Choice(False, 1.0, 4, 1.0).choose(probabilities.log().expand(n, 4), noise)

    shares = torch.bincount(chosen[:, 0]) / n
    # four standard deviations of a share are at most 0.0142
    assert torch.allclose(shares, probabilities, atol=0.0142)


def test_codes_chosen_before_are_penalised_as_stock_does(stock: Any) -> None:
    scores = torch.tensor([[2.0, -2.0, 1.0, -1.0]])
    penalties = torch.tensor([[1.3, 1.3, 1.0, 1.0]])

    expected = stock.RepetitionPenaltyLogitsProcessor(1.3)(torch.tensor([[0, 1, 0]]), scores.clone())

    assert torch.equal(penalise(scores, penalties), expected)


def test_the_code_predictor_chooses_as_the_talker_unless_it_is_told_otherwise() -> None:
    alike, apart = Decoding(temperature=0.5, top_k=7, top_p=0.8), Decoding(subtalker_greedy=True, subtalker_top_k=3)

    assert Choice.of_predictor(alike) == Choice.of_talker(alike) == Choice(False, 0.5, 7, 0.8)
    assert Choice.of_predictor(apart) == Choice(True, 0.9, 3, 1.0)
