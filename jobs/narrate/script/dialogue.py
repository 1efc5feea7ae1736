"""Marks in a text that say who speaks on and how: ``[speaker: nora]``, ``[instruct: in a whisper]``.

A mark counts to the next of its kind or the end of its paragraph; without a name or words it takes the former back.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from jobs.qwen.model_info import VoiceModel

MOST_CHARACTERS = 300
_MARK = re.compile(rf"\[(speaker|instruct):([^\[\]\n]{{0,{MOST_CHARACTERS}}})\]")


@dataclass(frozen=True)
class Manner:
    """Speaker and instruct of a part of a text; None: those of the narration."""

    speaker: str | None = None
    instruct: str | None = None


USUAL = Manner()


def divide_by_marks(paragraph: str) -> Iterator[tuple[Manner, str]]:
    """Iterate over the parts of a paragraph between marks, without the marks and what is empty."""
    manner, start = USUAL, 0
    for match in _MARK.finditer(paragraph):
        if text := paragraph[start : match.start()].strip():
            yield manner, text
        manner, start = replace(manner, **{match[1]: match[2].strip() or None}), match.end()
    if text := paragraph[start:].strip():
        yield manner, text


def check_manners(manners: Iterable[Manner], model: VoiceModel, *, speaker: str | None, instruct: str | None) -> None:
    """Check that the model has the speakers that marks name, and takes an instruct where one is marked.

    Args:
        manners: of the passages.
        model: that speaks.
        speaker: of the narration.
        instruct: of the narration.

    Raises:
        UserError: ``speaker_unknown``, ``speaker_missing``, ``instruct_not_supported``.
    """
    for manner in sorted({one for one in manners if one != USUAL}, key=repr):
        model.speaker(manner.speaker or speaker)
        model.check_instruct(manner.instruct or instruct)
