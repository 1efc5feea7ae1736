"""The input embeddings are those that upstream generate builds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from jobs.errors import UserError
from jobs.qwen.toy.config import Shape
from jobs.qwen.train.sequence_layout import ControlIds, Example, collate, embed, tokenise_text


class _Caught(Exception):
    """Carries the input that generate passes to the talker."""


def stock_prompt(base: Any, text: str, language: str, embedding: torch.Tensor) -> torch.Tensor:
    """The input embeddings (positions, hidden) with which upstream generate starts its talker."""

    def catch(**arguments: Any) -> None:
        raise _Caught(arguments["inputs_embeds"])

    base.model.talker.generate = catch
    prompt = {"ref_code": None, "ref_spk_embedding": [embedding], "x_vector_only_mode": [True], "icl_mode": [False]}
    with pytest.raises(_Caught) as caught:
        base.model.generate(
            input_ids=base._tokenize_texts([base._build_assistant_text(text)]),
            languages=[language],
            voice_clone_prompt=prompt,
            non_streaming_mode=True,
        )
    found: torch.Tensor = caught.value.args[0][0]
    return found


@pytest.mark.parametrize("shape", ["0.6b", "1.7b"])
@pytest.mark.parametrize("language", ["auto", "english", "german", "Chinese"])
def test_the_prompt_equals_generates_for_every_kind_of_prefix(
    shape: Shape, language: str, load_toy: Callable[[Shape], Any]
) -> None:
    base = load_toy(shape)
    embedding = torch.randn(64, generator=torch.Generator().manual_seed(2))
    codes = torch.arange(48).view(3, 16)
    text = "They said hello; there."
    expected = stock_prompt(base, text, language, embedding)

    example = Example(tokenise_text(base, text), codes, language.lower(), embedding)
    batch = collate([example], ControlIds.from_config(base.model.config))
    with torch.no_grad():
        x, _ = embed(base.model.talker, batch)

    torch.testing.assert_close(x[0, :-3], expected, rtol=0, atol=1e-6)
    assert x.shape[1] == example.length
    assert batch.predict_at.tolist() == [*range(len(expected) - 1, len(expected) + 3)]


def test_a_frame_is_the_sum_of_its_16_books_and_the_text_pad(load_toy: Callable[[Shape], Any]) -> None:
    base = load_toy("0.6b")
    talker, ids = base.model.talker, ControlIds.from_config(base.model.config)
    codes = torch.arange(16)[None]
    batch = collate([Example(tokenise_text(base, "hi"), codes, "auto", torch.zeros(64))], ids)

    with torch.no_grad():
        x, _ = embed(talker, batch)
        codebooks = [talker.get_input_embeddings(), *talker.code_predictor.get_input_embeddings()]
        summed = sum(codebook.weight[code] for codebook, code in zip(codebooks, range(16), strict=True))
        pad = talker.text_projection(talker.get_text_embeddings().weight[ids.text_pad])

    torch.testing.assert_close(x[0, -1], summed + pad, rtol=0, atol=1e-6)


def test_clips_in_a_batch_do_not_touch_each_other(load_toy: Callable[[Shape], Any]) -> None:
    base = load_toy("1.7b")
    ids = ControlIds.from_config(base.model.config)
    short = Example(tokenise_text(base, "hi"), torch.full((2, 16), 3), "auto", torch.ones(64))
    long = Example(tokenise_text(base, "a longer text than that"), torch.full((9, 16), 5), "english", torch.zeros(64))

    with torch.no_grad():
        together, _ = embed(base.model.talker, collate([short, long], ids))
        alone, _ = embed(base.model.talker, collate([short], ids))

    torch.testing.assert_close(together[0, : short.length], alone[0], rtol=0, atol=1e-6)


def test_an_unknown_language_is_refused_with_those_that_are_known(load_toy: Callable[[Shape], Any]) -> None:
    ids = ControlIds.from_config(load_toy("0.6b").model.config)

    with pytest.raises(UserError, match=r"klingon.*english") as refused:
        ids.tags("klingon")

    assert refused.value.code == "language_unknown"
