"""Probe of a book for a dry run, in a process of its own."""

from pathlib import Path
from typing import Any

from jobs.books.covers import read_cover
from jobs.cost import CHARACTERS_PER_S
from jobs.narrate.params import Params
from jobs.narrate.script.dialogue import check_manners
from jobs.narrate.script.passages import Chapter
from jobs.narrate.script.script import read_script
from jobs.param_types import AUTO
from jobs.qwen.model_info import describe_model

LONGEST_TITLE = 60  # of a chapter in the answer


def probe_parameters(document: dict[str, Any]) -> dict[str, Any]:
    """Probe what the parameters name; the entry of the child process.

    Raises:
        UserError: those of ``read_script``, ``check_manners`` and ``read_cover``.
    """
    params = Params.model_validate(document)
    model = describe_model(Path(params.model)) if Path(params.model).is_absolute() else None
    language = model.language(params.language, params.speaker) if model else params.language or AUTO
    script = read_script(params, language)
    if model is not None:
        manners = (passage.manner for passage in script.passages)
        check_manners(manners, model, speaker=params.speaker, instruct=params.instruct)
    cover = read_cover(Path(params.cover)) if params.cover is not None else script.book.cover
    return {
        "title": script.title,
        "author": params.author or script.book.author,
        "has_cover": cover is not None,
        "n_passages": len(script.passages),
        "speech_s": sum(map(_speech_s, script.chapters)),
        "pauses_s": sum(passage.pause_s for passage in script.passages),
        "chapters": [
            {
                "chapter": chapter.number,
                "title": chapter.title[:LONGEST_TITLE],
                "words": sum(len(passage.text.split()) for passage in chapter.passages),
                "minutes": round(_speech_s(chapter) / 60, 1),
            }
            for chapter in script.chapters
        ],
        "skipped": [
            {"title": section.title[:LONGEST_TITLE], "reason": section.why_skipped} for section in script.skipped
        ],
        "notes": list(script.book.notes),
    }


def _speech_s(chapter: Chapter) -> float:
    return sum(len(passage.said) for passage in chapter.passages) / CHARACTERS_PER_S
