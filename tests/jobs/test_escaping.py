"""Deceptive characters are shown as their escapes, and honest text stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.escaping import escape, escape_line, escaped

CLEAR_SCREEN, RED = "\x1b[2J", "\x9b31m"
DECEPTIVE = [CLEAR_SCREEN, RED, "\r", "\x07", "\x00", "\x7f", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028",
             "\udcff", "\U000e0041", "\U000e0100", "\xad", "\u034f", "\u3164"]  # fmt: skip


@pytest.mark.parametrize("text", DECEPTIVE)
def test_a_deceptive_character_is_shown_as_its_escape_in_json(text: str) -> None:
    shown = escape(f"a{text}b")

    assert shown.isprintable()
    assert shown.startswith("a\\u")
    assert json.loads(f'"{shown}"') == f"a{text}b"


@pytest.mark.parametrize(
    "text", ["Straße", "日本語", "e\u0301", "👩\u200d👩", "a\tb", "one\ntwo", "\\u001b", "Zoë’s — “book”", "a❤\ufe0f"]
)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


def test_text_that_variants_of_glyphs_spell_is_shown() -> None:
    assert escape("a\ufe00\ufe01\ufe0f") == "a\ufe00\\ufe01\\ufe0f"


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b\u202e\ud800\n\r"))))
def test_escaped_text_can_be_sent_and_is_escaped_once(text: str) -> None:
    shown = escape(text)

    shown.encode()
    assert escape(shown) == shown
    assert "\n" not in escape_line(text)
    assert "\x1b" not in shown


def test_keys_and_values_at_any_depth_are_escaped() -> None:
    assert escaped({"a\x1b": [{"b": "\u202e"}, 1, None]}) == {"a\\u001b": [{"b": "\\u202e"}, 1, None]}
