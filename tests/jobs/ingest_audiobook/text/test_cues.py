"""Subtitles of other programs: numbers, identifiers, notes, entities, brackets and labels of speakers."""

from __future__ import annotations

import pytest

from jobs.ingest_audiobook.text.cues import read_cues


def said(*texts: str, is_vtt: bool = False, head: str = "") -> list[str]:
    """Return the texts of cues without numbers, of a second each."""
    blocks = [f"00:00:{k:02}.000 --> 00:00:{k + 1:02}.000\n{text}" for k, text in enumerate(texts)]
    return [cue.text for cue in read_cues(head + "\n\n".join(blocks) + "\n", is_vtt=is_vtt)]


def test_a_year_alone_in_a_line_is_text_and_the_number_of_a_cue_is_not() -> None:
    numbered = (
        "1\n00:00:01,000 --> 00:00:03,500\nIt was in\n1465\n\n2\n00:00:04,000 --> 00:00:06,000\n1465\n"
        "3\n01:00:07,000 --> 01:00:09,250\n1465 was\nthe year.\n"
    )

    cues = read_cues(numbered, is_vtt=False)

    assert [(cue.start_s, cue.end_s, cue.text) for cue in cues] == [
        (1.0, 3.5, "It was in 1465"), (4.0, 6.0, "1465"), (3607.0, 3609.25, "1465 was the year."),
    ]  # fmt: skip
    assert said("It was in\n1465", "1465\nSweynheim", "1465") == ["It was in 1465", "1465 Sweynheim", "1465"]


def test_identifiers_notes_and_styles_of_webvtt_are_no_text() -> None:
    text = (
        "WEBVTT - a title\n\nSTYLE\n::cue { color: red }\n\nintro-1\n00:01.000 --> 00:03.000 align:start\nOne\n\n"
        "NOTE by hand\nmore of it\n\nintro-2\n00:04.000 --> 00:06.000\n<v Anna>Two</v> <00:05.000>three\n"
    )

    assert [cue.text for cue in read_cues(text, is_vtt=True)] == ["One", "Two three"]


def test_an_empty_line_within_a_text_of_subrip_ends_nothing() -> None:
    assert said("One\n\ntwo", "three") == ["One two", "three"]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("bread &amp; wine, France&#39;s &lt;3&gt;", "bread & wine, France's <3>"),
        ("the kind (of letter) used", "the kind (of letter) used"),
        ("[music] He (laughs) said (LOUD NOISE) no ♪ la ♪", "He said no la"),
        ("<i>One</i> {\\an8}two<br/>three", "One twothree"),
        ("NARRATOR: and used", "and used"),
        (">> Anna: Three things: bread", "Three things: bread"),
        (">> Then he went", "Then he went"),
        ("- Yes.", "Yes."),
        ("He said: no", "He said: no"),
    ],
)
def test_a_text_is_what_is_said(written: str, spoken: str) -> None:
    assert said(written) == [spoken]


def test_a_name_before_several_cues_is_a_label() -> None:
    assert said("Anna: Come.", "Anna: Go.", "Ben: Why?", "Anna: So: go.") == ["Come.", "Go.", "Ben: Why?", "So: go."]
