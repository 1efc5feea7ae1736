"""Loading of a model's directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from jobs.qwen.loading import load_base
from jobs.qwen.toy.config import Shape
from jobs.qwen.train.sequence_layout import tokenise_text
from jobs.qwen.upstream import qwen_tts


def test_our_loading_gives_the_weights_and_ids_of_upstream_loading(
    wandering_toy: Callable[[Shape], Path],
) -> None:
    folder = wandering_toy("0.6b")

    ours = load_base(folder, "cpu", torch.float32)
    upstream = qwen_tts().Qwen3TTSModel.from_pretrained(str(folder), dtype=torch.float32)

    assert ours.model.speech_tokenizer is None  # training never needs the codec
    weights = upstream.model.state_dict()
    assert set(weights) == set(ours.model.state_dict())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in ours.model.state_dict().items())
    expected = upstream._tokenize_texts([upstream._build_assistant_text("It's 1 o'clock!")])[0][0, :-5]
    assert tokenise_text(ours, "\n It's 1 o'clock! ").tolist() == expected.tolist()
