"""Declaration of the job kind ``narrate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.cost import CHARACTERS_PER_S, CLIP_BYTES_PER_S, Cost
from jobs.narrate.params import Params, Result, check
from jobs.runner.call_text import GAP, call_text
from jobs.runner.job_kind import Example, JobKind, Output, StartTool

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord

EPUB_SHARE = 2.5  # characters of text in a byte of an EPUB, which also holds pictures


def count_speech(params: Mapping[str, Any]) -> float:
    """Estimate the seconds of speech by the size of the book's file."""
    path = Path(params["text"])
    share = EPUB_SHARE if path.suffix.lower() == ".epub" else 1.0
    return path.stat().st_size * share / CHARACTERS_PER_S


def next_step(record: JobRecord, _: Runner) -> str:
    """Name the passages to listen to, or the call that uses the list of words."""
    result = record.result or {}
    defaults = {name: field.get_default(call_default_factory=True) for name, field in Params.model_fields.items()}
    given = {name: value for name, value in record.params.items() if name in defaults and value != defaults[name]}
    given.pop("list_words", None)
    if not result.get("audiobook"):
        call = call_text("narrate", {**given, "pronunciation": result.get("words", GAP)})
        return f"Complete lines of {result.get('words')} as WORD = SAY AS, then call {call}"
    n_doubtful = result["n_doubtful"]
    listen = f"Listen to the {n_doubtful} doubtful passages in {result['report']}. " if n_doubtful else ""
    return (
        f"The audiobook is {result['audiobook']}. {listen}After a change of text or pronunciation only that is spoken: "
        f"{call_text('narrate', given)}"
    )


KIND = JobKind(
    name="narrate",
    params=Params,
    result=Result,
    entry="jobs.narrate.work:run",
    resource="gpu",
    check=check,
    plan="jobs.narrate.dry_run:plan",
    outputs=(Output("audiobook", result="folder", parameter="out_dir", default="{text.parent}/{text.stem}_audiobook"),),
    makes={
        "out_dir": (
            "book.m4b",
            "book.srt",
            "book.vtt",
            "book.epub",
            "book.json",
            "report.html",
            "words.txt",
            "[0-9][0-9][0-9]*.mp3",
            "[0-9][0-9][0-9]*.flac",
            "passages/",
        )
    },
    # that of synthesize, and the checks of each take on the CPU
    cost=Cost(
        count_speech,
        unit="s of speech",
        s_each=7,
        s_fixed=30,
        memory_mb=8500,
        bytes_each=2 * CLIP_BYTES_PER_S,
    ),
    tool=StartTool(
        title="Narrate a book",
        description="""\
Narrate a book (.txt, .md, .epub) with a voice: an .m4b with chapters, cover and tags, a file for each chapter.

Use it for whole texts; synthesize for sentences. Each passage is checked, and spoken again where doubtful. GPU if there
is one, hours. A job; killed or edited, it speaks only what is missing. Result: book.m4b, report.""",
        order=95,
        next=next_step,
        examples=(
            Example("A book", {"model": "anna", "text": "book.epub"}),
            Example("Its rare words first", {"model": "anna", "text": "book.epub", "list_words": True}),
        ),
    ),
)
