"""Marks for speakers and instructs in a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.books.blocks import Block
from jobs.errors import UserError
from jobs.narrate.script.chapters import Section
from jobs.narrate.script.dialogue import USUAL, Manner, check_manners, divide_by_marks
from jobs.narrate.script.passages import PARAGRAPH_S, make_chapters
from jobs.narrate.script.pronunciation import NOTHING
from jobs.qwen.model_info import VoiceModel

DUO = VoiceModel(Path("duo"), "custom_voice", ("ann", "bob"), ("auto", "english"))


@pytest.mark.parametrize(
    ("paragraph", "parts"),
    [
        ("No marks [1] here.", [(USUAL, "No marks [1] here.")]),
        ("[speaker: bob] Hello.", [(Manner("bob"), "Hello.")]),
        (
            'She said: [speaker: ann][instruct: softly] "Go." [speaker:] He went. [instruct:]He came.',
            [
                (USUAL, "She said:"),
                (Manner("ann", "softly"), '"Go."'),
                (Manner(None, "softly"), "He went."),
                (USUAL, "He came."),
            ],
        ),
        ("[speaker: bob]", []),
        (f"[instruct:{'x' * 301}] A.", [(USUAL, f"[instruct:{'x' * 301}] A.")]),
        ("[voice: bob] A.", [(USUAL, "[voice: bob] A.")]),
    ],
)
def test_a_mark_counts_to_the_next_of_its_kind(paragraph: str, parts: list[tuple[Manner, str]]) -> None:
    assert list(divide_by_marks(paragraph)) == parts


def test_marks_are_taken_out_of_a_paragraph_and_end_with_it_only_when_asked_for() -> None:
    section = Section("A", ("[speaker: bob] A",), (Block("One. [speaker: bob] Two."), Block("Three.")))

    marked = make_chapters([section], "en", NOTHING, has_marks=True)[0].passages
    plain = make_chapters([section], "en", NOTHING)[0].passages

    assert [(one.text, one.manner) for one in marked] == [
        ("[speaker: bob] A", USUAL), ("One.", USUAL), ("Two.", Manner("bob")), ("Three.", USUAL),
    ]  # fmt: skip
    assert [one.pause_s for one in marked[1:]] == [0.4, PARAGRAPH_S, PARAGRAPH_S]
    assert [one.text for one in plain[1:]] == ["One. [speaker: bob] Two.", "Three."]


def test_a_speaker_that_the_voice_lacks_is_refused() -> None:
    check_manners([USUAL, Manner("Bob", "gently")], DUO, speaker="ann", instruct=None)

    with pytest.raises(UserError, match="otto") as refused:
        check_manners([Manner("otto")], DUO, speaker="ann", instruct=None)
    assert refused.value.code == "speaker_unknown"
