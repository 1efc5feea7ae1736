"""Cues of SubRip and WebVTT as they are said: without numbers, identifiers, notes, tags, sounds and labels of speakers.

Not by pysubs2: it takes a year alone in a line for a number, and identifiers and notes of WebVTT for text.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMES = re.compile(rf"[^\S\n]{{0,20}}{_TIME}[^\S\n]{{0,20}}-->[^\S\n]{{0,20}}{_TIME}")
# The longest bracket or tag; without a bound, brackets that are never closed take quadratic time.
_TAGS = re.compile(r"\{[^}]{0,500}\}|< {0,4}/? {0,4}[a-zA-Z][^>]{0,500}>|<\d[\d:.]{0,20}>")
_SOUNDS = re.compile(r"\[[^\]]{0,500}\]|[♪♫#]+")
# Round brackets are read aloud, but for sounds: one or two words in capitals, or what people do.
_ROUND_SOUNDS = re.compile(
    r"\((?:[A-Z][A-Z'’ -]{1,40}|(?:[a-z]+ )?(?:laughs|laughing|laughter|sighs|coughs|music|applause|chuckles|gasps))\)"
)
_NAME = r"[^\W\d_][\w.'’-]{0,20}+"  # what a repetition has taken it keeps: a line is read once
_LABEL = re.compile(rf"(?:[-–—] |>> ?)?+({_NAME}(?: {_NAME}){{0,2}}+ ?):\s+")
_DASH = re.compile(r"[-–—] |>> ?")
COMMON_LABEL = 3  # cues that begin with the same words and a colon


@dataclass(frozen=True)
class Cue:
    """A text with its times, seconds."""

    start_s: float
    end_s: float
    text: str


def read_cues(text: str, *, is_vtt: bool) -> list[Cue]:
    """Return the cues of a file in their order; other lines are no text."""
    cues: list[tuple[float, float, list[str]]] = []
    for block in _blocks(text):
        is_cue = False
        for number, line in enumerate(block):
            times = _TIMES.match(line)
            if times:
                if is_cue and block[number - 1].strip().isdigit() and cues[-1][2]:
                    cues[-1][2].pop()  # the number of this cue, which no empty line precedes
                cues.append((*_seconds(times), []))
                is_cue = True
            elif is_cue:
                cues[-1][2].append(line)
        if not is_cue and cues and not is_vtt:
            cues[-1][2].extend(block)  # a text with an empty line in it
    texts = _without_labels([_plain(" ".join(lines)) for _, _, lines in cues])
    return [Cue(start_s, end_s, said) for (start_s, end_s, _), said in zip(cues, texts, strict=True)]


def _blocks(text: str) -> Iterator[list[str]]:
    block: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def _seconds(times: re.Match[str]) -> tuple[float, float]:
    def at(first: int) -> float:
        hours, minutes, seconds, part = times.group(first, first + 1, first + 2, first + 3)
        return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(part.ljust(3, "0")) / 1000

    return at(1), at(5)


def _plain(text: str) -> str:
    """Return a text without tags, entities, sounds and breaks."""
    text = _TAGS.sub("", text)
    for line_end in (r"\h", r"\n", r"\N"):
        text = text.replace(line_end, " ")
    text = _SOUNDS.sub(" ", html.unescape(text))
    return " ".join(_ROUND_SOUNDS.sub(" ", text).split())


def _without_labels(texts: Sequence[str]) -> list[str]:
    """Take off the speaker's name: in capitals, after a mark of a new speaker, or the same before several cues."""
    labels = [_LABEL.match(text) for text in texts]
    n_cues = Counter(label.group(1) for label in labels if label)

    def is_label(label: re.Match[str]) -> bool:
        name = label.group(1)
        return name.isupper() or label.group().startswith(">>") or n_cues[name] >= COMMON_LABEL

    return [
        _DASH.sub("", text, count=1) if _DASH.match(text) and not (label and is_label(label))
        else text[label.end() :] if label and is_label(label)
        else text
        for text, label in zip(texts, labels, strict=True)
    ]  # fmt: skip
