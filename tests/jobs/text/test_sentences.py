"""Sentences and clauses are found in ten languages, by what a reader takes for one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.text.sentences import MAX_BLOCK, find_breaks, replace_inner_stops
from tests.support.hostile.limits import assert_linear

SENTENCES = {
    "en": ["Mr. Smith met Dr. Jones at 5 p.m. on Main St. in London.", "He said: “Come in! Sit down.”", "She did.",
           "It cost $3.50, i.e. nothing.", "Vol. II was printed by J. R. R. Hart.", "“Is it you?” he asked.",
           "Wait... what?", "No. 5 was lost."],
    "de": ["Am 3. Mai kam z. B. Dr. Müller an.", "Er sagte: „Guten Tag!“", "Das war im 19. Jahrhundert, d. h. früher.",
           "Nr. 5 lebt."],
    "fr": ["M. Dupont est arrivé.", "Mme Durand dit : « Bonjour ! »", "C'était le 3 mai, p. ex. à midi."],
    "es": ["El Sr. García llegó.", "¿Quién es?", "¡Hola!", "La Dra. Pérez dijo que sí."],
    "it": ["Il sig. Rossi arrivò.", "Il dott. Bianchi disse: «Ciao!»"],
    "pt": ["O Sr. Silva chegou.", "A Dra. Souza disse: “Olá!”"],
    "ru": ["Он родился в 1900 г. в Москве.", "Т. е. давно.", "А. С. Пушкин писал."],
    "ko": ["그는 왔다.", "누구세요?"],
    "zh": ["他来了。", "“你好！”", "你是谁？"],
    "ja": ["彼は来た。", "誰ですか？"],
}  # fmt: skip


def sentences(text: str, language: str) -> list[str]:
    ends = find_breaks(text, language).sentences
    return [text[start:end].strip() for start, end in zip((0, *ends), ends, strict=False)]


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_what_a_reader_takes_for_one(language: str) -> None:
    space = "" if language in ("zh", "ja") else " "

    assert sentences(space.join(SENTENCES[language]), language) == SENTENCES[language]


def test_lines_may_be_broken_anywhere_and_a_heading_ends_with_its_paragraph() -> None:
    text = "CHAPTER I\n\nThe crow was\nthirsty. She\ndrank.\n \nII\n\nThe end"

    assert sentences(text, "en") == ["CHAPTER I", "The crow was\nthirsty.", "She\ndrank.", "II", "The end"]


def test_clauses_end_at_marks_that_a_voice_pauses_at() -> None:
    text = "In 1,455 cases, he said; “well,” then — 3:15 — no: yes…"

    assert [text[:end].split()[-1] for end in find_breaks(text, "en").clauses] == [
        "cases,", "said;", "“well,”", "—", "—", "no:", "yes…",
    ]  # fmt: skip


def test_a_paragraph_longer_than_a_block_is_divided_as_a_short_one() -> None:
    text = "The crow was thirsty. " * (MAX_BLOCK // 5)

    assert set(sentences(text, "en")) == {"The crow was thirsty."}


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("of the Roman character. and it was", "of the Roman character, and it was"),
        ("ein Wort. über alles", "ein Wort, über alles"),
        ("He came. Then he left.", "He came. Then he left."),
        ("ink, paper etc. and so on", "ink, paper etc. and so on"),
        ("at 3. m. in i.e. the", "at 3. m. in i.e. the"),
    ],
)
def test_a_full_stop_before_a_word_in_lower_case_becomes_a_comma(heard: str, written: str) -> None:
    assert replace_inner_stops(heard) == written


@pytest.mark.parametrize("unit", ["word. ", "word."])
def test_inner_stops_take_linear_time(unit: str) -> None:
    assert_linear(lambda n: replace_inner_stops(unit * n), 20_000)


@pytest.mark.parametrize("unit", ["“", "(", "a. ", "Mr. ", "\n", ", ", "A.B. ", "1. "])
def test_any_text_takes_linear_time(unit: str) -> None:
    assert_linear(lambda n: find_breaks(unit * n, "en"), 20_000)


@settings(max_examples=100, deadline=None)
@given(text=st.text("aB1.!?“”\"' \n…,;:—。！", max_size=80), language=st.sampled_from(list(SENTENCES)))
def test_breaks_are_in_order_inside_the_text(text: str, language: str) -> None:
    breaks = find_breaks(text, language)

    for ends in (breaks.sentences, breaks.clauses):
        assert list(ends) == sorted(set(ends))
        assert all(0 < end <= len(text) for end in ends)
