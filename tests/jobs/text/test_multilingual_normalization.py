"""Numbers and signs of other languages: spoken, or refused as not spellable."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.text.multilingual_normalization import _SIGNS, CannotSpell, said, tokens
from tests.support.hostile.limits import assert_linear

CODES = sorted(_SIGNS)


@settings(max_examples=50, deadline=None)
@given(text=st.text("0123456789,.%&€°ªº'’-erstmdſİ\u0661\u00b2\u00a0 ", max_size=40), code=st.sampled_from(CODES))
def test_any_text_is_spoken_or_cannot_be_spelt(text: str, code: str) -> None:
    for token in tokens(text, code):
        with contextlib.suppress(CannotSpell):
            said(token, code)


@pytest.mark.parametrize("code", CODES)
def test_a_number_with_two_marks_cannot_be_spelt(code: str) -> None:
    with pytest.raises(CannotSpell):
        said("4.094.8", code)


@pytest.mark.parametrize("unit", ["1", "a-", "1.", "111."])
def test_tokens_take_linear_time(unit: str) -> None:
    assert_linear(lambda n: sum(1 for _ in tokens(unit * n, "fr")), 50_000)
