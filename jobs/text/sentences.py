"""Ends of sentences and of clauses in a text, in the ten languages of Qwen3-TTS."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sentencex

MAX_BLOCK = 4_000  # characters that are divided at once: quotation marks that never close cost the square of it

# Words after which sentencex ends a sentence, though a name or a noun follows.
_NEVER_LAST = {
    "en": re.compile(r"\b(?:vol|chap|figs?|pp?|messrs|cf|viz|e\.g|i\.e)\.$", re.IGNORECASE),
    "de": re.compile(r"\b(?:\d{1,3}|bzw|ca|vgl|nr|z\.\s?b|d\.\s?h|u\.\s?a)\.$", re.IGNORECASE),
    "fr": re.compile(r"\b(?:MM?|Mgr|chap|vol|p\.\s?ex)\.$"),
    "es": re.compile(r"\b(?:sr|sra|srta|dra?|da?|ud|uds|cap|vol|p\.\s?ej)\.$", re.IGNORECASE),
    "it": re.compile(r"\b(?:sigg?|sig\.ra|dott|prof|cap|vol)\.$", re.IGNORECASE),
    "pt": re.compile(r"\b(?:sra?|dra?|cap|vol|p\.\s?ex)\.$", re.IGNORECASE),
    "ru": re.compile(r"\b(?:т\.\s?е|т\.\s?к|им|св|гл|см|стр)\.$", re.IGNORECASE),
}
_INNER_STOP = re.compile(r"([^\W\d_]{3,})\.(?=\s+([^\W\d_]))")
_WITH_STOP = frozenset(["etc", "usw", "bzw", "ecc", "vol", "chap", "messrs"])  # words that are written with one
_PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n\s*")
_CLAUSE_END = re.compile(r"(?:[,;:](?=[\s\"'”’»)\]])|[…—–、，；：]|\s--?\s)[\"'”’»)\]]{0,3}")


@dataclass(frozen=True)
class TextBreaks:
    """Positions in a text after which a sentence or a clause has ended, ascending."""

    sentences: tuple[int, ...]
    clauses: tuple[int, ...]


def find_breaks(text: str, language: str) -> TextBreaks:
    """Find the ends of sentences and clauses. A paragraph's end ends a sentence, as that of a heading.

    Args:
        text: of a book; lines may be broken anywhere, paragraphs are separated by an empty line.
        language: two-letter code; another than the ten is divided by the rules of English.

    Returns:
        Ends as indices into ``text``, before the space that follows.
    """
    clauses = tuple(match.end() for match in _CLAUSE_END.finditer(text))
    return TextBreaks(tuple(_sentence_ends(text, language)), clauses)


def replace_inner_stops(text: str) -> str:
    """Replace full stops before a word in lower case by commas: Whisper writes them where a speaker pauses."""
    return _INNER_STOP.sub(
        lambda match: f"{match[1]}," if match[2].islower() and match[1].lower() not in _WITH_STOP else match[0], text
    )


def _sentence_ends(text: str, language: str) -> Iterator[int]:
    start = 0
    for match in (*_PARAGRAPH_BREAK.finditer(text), None):
        end = match.start() if match is not None else len(text)
        yield from _ends_in_paragraph(text, start, end, language)
        start = match.end() if match is not None else end


def _ends_in_paragraph(text: str, start: int, end: int, language: str) -> Iterator[int]:
    while end - start > MAX_BLOCK:
        ends = _ends_in_block(text[start : start + MAX_BLOCK], language)[:-1]  # the last one may be cut
        yield from (start + each for each in ends)
        start += ends[-1] if ends else MAX_BLOCK
    if text[start:end].strip():
        yield from (start + each for each in _ends_in_block(text[start:end], language))


def _ends_in_block(block: str, language: str) -> list[int]:
    never_last = _NEVER_LAST.get(language)
    ends: list[int] = []
    for found in sentencex.get_sentence_boundaries(language, block):
        sentence = block[found["start_index"] : found["end_index"]].rstrip()
        if sentence and (never_last is None or not never_last.search(sentence[-12:])):
            ends.append(found["start_index"] + len(sentence))
    whole = len(block.rstrip())
    return ends if ends and ends[-1] == whole else [*ends, whole]
