"""Passages of a chapter: one or some sentences that are spoken as one take, and the pause after each.

A take of few words is unsteady and cannot be checked, one of many words may drift: short sentences of a paragraph are
joined, long ones divided at clauses.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.books.blocks import SCENE_BREAK
from jobs.errors import UserError
from jobs.narrate.script.chapters import Section
from jobs.narrate.script.dialogue import USUAL, Manner, divide_by_marks
from jobs.narrate.script.pronunciation import Pronunciations
from jobs.text.sentences import find_breaks

USUAL_CHARACTERS = 220
"""Sentences are joined up to this length: about 15 s, that of the clips which voices are trained on."""
MOST_CHARACTERS = 400
"""A longer sentence is divided."""
MOST_SAID = 2_000
"""Of one passage with its pronunciations: what is said for a number is several times as long."""
SHORT_CHARACTERS = 30
"""A shorter rest, of about six words, is joined with the text before; the rating counts no words below."""
LETTERS_OF_A_SIGN, FIRST_SIGN = 4, "\u2e80"

# Seconds, as narrators pause; own choice within what audiobook guides name.
LEAD_S, TAIL_S = 0.75, 2.0  # ACX: 0.5 to 1 s before a chapter, 1 to 5 s after
PAUSES_S = {".": 0.4, "!": 0.4, "?": 0.45, "…": 0.55, "—": 0.45, "–": 0.45, ",": 0.2, ";": 0.25, ":": 0.35}
PAUSES_S |= {"。": 0.4, "！": 0.4, "？": 0.45, "，": 0.2, "、": 0.2, "；": 0.25, "：": 0.35}
OTHER_PAUSE_S, PARAGRAPH_S, HEADING_S, SCENE_S = 0.3, 0.8, 1.2, 2.0
_CLOSING = "\"'”’»)]」』"
_ROMAN = re.compile(r"\b(chapter|book|part|volume|canto|act|letter|kapitel|teil|chapitre|cap[ií]tulo|capitolo)\s+"
                    r"([IVXLC]{1,7})\b", re.IGNORECASE)  # fmt: skip
_ROMAN_ALONE = re.compile(r"([IVXLC]{1,7})\.?")
_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


@dataclass(frozen=True)
class Passage:
    """A part of the text that is spoken as one take.

    Attributes:
        text: as in the book.
        said: as the model gets it.
        occurrence: how many passages before it are said in the same way.
        pause_s: silence after it.
        is_heading: it is a heading, not a part of a paragraph.
        manner: who speaks it and how.
    """

    text: str
    said: str
    occurrence: int
    pause_s: float
    is_heading: bool = False
    manner: Manner = USUAL


@dataclass(frozen=True)
class Chapter:
    """A chapter to be spoken; numbers count the parts that are read."""

    number: int
    title: str
    passages: tuple[Passage, ...]


def make_chapters(
    sections: Sequence[Section], language_code: str, pronunciations: Pronunciations, *, has_marks: bool = False
) -> list[Chapter]:
    """Divide the sections that are read into passages; one without words is left out.

    Args:
        sections: of the book.
        language_code: of its text.
        pronunciations: applied to what is said.
        has_marks: paragraphs may hold marks of ``jobs.narrate.script.dialogue``.

    Raises:
        UserError: ``pronunciation_invalid``: a passage would be said in too many words.
    """
    counts: dict[str, int] = {}
    chapters: list[Chapter] = []
    for section in sections:
        if section.why_skipped is not None:
            continue
        passages = []
        for text, heading, pause_s, manner in _parts(section, language_code, has_marks):
            said = pronunciations.apply(say_heading(text) if heading else text)
            if len(said) > MOST_SAID:
                raise UserError(
                    "pronunciation_invalid",
                    f"{text[:40]!r} and what follows would be said in {len(said):,} characters, at most {MOST_SAID:,}.",
                    "Shorten what the pronunciation file says for its words.",
                )
            if any(character.isalnum() for character in said):
                occurrence = counts[said] = counts.get(said, -1) + 1
                passages.append(Passage(text, said, occurrence, pause_s, heading, manner))
        if passages:
            chapters.append(Chapter(len(chapters) + 1, section.title, tuple(passages)))
    return chapters


def say_heading(text: str) -> str:
    """Return a heading as it is said: not in capitals, Roman numbers as digits, with a full stop."""
    alone = _ROMAN_ALONE.fullmatch(text.strip())
    said = str(_roman(alone[1])) if alone else _ROMAN.sub(lambda match: f"{match[1]} {_roman(match[2])}", text.strip())
    if said.isupper():
        said = said.capitalize() if len(said.split()) == 1 else said.title().replace("'S", "'s").replace("’S", "’s")
    return said if said[-1:] in PAUSES_S else f"{said}."


def _roman(number: str) -> int:
    values = [_DIGITS[letter] for letter in number.upper()]
    return sum(
        -value if place + 1 < len(values) and value < values[place + 1] else value for place, value in enumerate(values)
    )


def _parts(section: Section, language_code: str, has_marks: bool) -> Iterator[tuple[str, bool, float, Manner]]:
    """Iterate over texts, whether each is a heading, the pause after it, and its manner."""
    for heading in section.headings:
        yield heading, True, HEADING_S, USUAL
    for place, block in enumerate(section.blocks):
        after = section.blocks[place + 1] if place + 1 < len(section.blocks) else None
        end_s = SCENE_S if after == SCENE_BREAK else HEADING_S if block.level else PARAGRAPH_S
        if block.level:
            yield block.text, True, end_s, USUAL
        elif block.text:
            parts = divide_by_marks(block.text) if has_marks else [(USUAL, block.text)]
            texts = [(text, manner) for manner, part in parts for text in divide_paragraph(part, language_code)]
            for number, (text, manner) in enumerate(texts, 1):
                yield text, False, end_s if number == len(texts) else pause_after(text), manner


def pause_after(text: str) -> float:
    """Return the pause after a passage within a paragraph, by its last sign."""
    last = text.rstrip().rstrip(_CLOSING)[-1:]
    return PAUSES_S.get(last, OTHER_PAUSE_S)


def divide_paragraph(text: str, language_code: str) -> list[str]:
    """Divide a paragraph into texts of usual length, at the ends of sentences, of clauses, else between words."""
    breaks = find_breaks(text, language_code)
    spans: list[tuple[int, int]] = []
    start = 0
    for end in breaks.sentences:
        for first, last in _pieces(text, start, end, breaks.clauses):
            if spans and spoken_length(text[spans[-1][0] : last]) <= USUAL_CHARACTERS:
                spans[-1] = spans[-1][0], last
            else:
                spans.append((first, last))
        start = end
    if len(spans) > 1 and spoken_length(text[slice(*spans[-1])]) < SHORT_CHARACTERS:
        spans[-2:] = [(spans[-2][0], spans[-1][1])]
    return [text[first:last].strip() for first, last in spans]


def spoken_length(text: str) -> int:
    """Count characters; a sign of Chinese, Japanese or Korean takes as long as some letters."""
    return len(text) + (LETTERS_OF_A_SIGN - 1) * sum(character >= FIRST_SIGN for character in text)


def _pieces(text: str, start: int, end: int, clauses: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Iterate over the spans of a sentence, divided at clauses or words where it is too long."""
    while end - start > MOST_CHARACTERS or spoken_length(text[start:end]) > MOST_CHARACTERS:
        limit, length = start, 0
        while length < USUAL_CHARACTERS:
            length += spoken_length(text[limit])
            limit += 1
        clause = clauses[bisect_right(clauses, limit) - 1] if clauses else 0
        is_far = clause > start + SHORT_CHARACTERS // LETTERS_OF_A_SIGN
        cut = clause if is_far and clause <= limit else text.rfind(" ", start + 1, limit)
        cut = cut if cut > start else limit
        yield start, cut
        start = cut
    if text[start:end].strip():
        yield start, end
