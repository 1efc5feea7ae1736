"""The tool ``rate_samples``: the automatic rating as a job, a person's scores at once."""

from __future__ import annotations

import difflib
import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread
from pydantic import BaseModel, Field

from jobs.errors import UserError
from jobs.fields import InputPath, Strict
from jobs.rate_samples.spec import HUMAN_RATINGS, KIND, HumanRating, Params
from jobs.speech.manifest import read_rows
from jobs.synthesize.spec import Take
from tools._contract import Hints, StartArgs, ToolContext
from tools._paths import resolve_paths
from tools._start import start
from tools._view import JobView, View

# A person's scores are added to, never replaced: two calls are two listenings.
HINTS = Hints(title="Rate synthesised takes", idempotent=False)
NEXT = (
    "Tell the person the ratings ({ratings}) and let them listen: the reasons say what was measured, "
    "only a person hears the rest. Their scores go into rate_samples scores=[...]."
)


class Score(Strict):
    """What a person thinks of one take."""

    audio: str = Field(description="The take's file name.")
    score: int = Field(ge=1, le=5, description="5: like the narrator.")
    note: str = Field("", max_length=2000, description="What was heard.")


class RateSamplesArgs(StartArgs, Params):
    """Arguments of ``rate_samples``."""

    # A person needs no narrator's clips to compare with; the automatic rating does, and says so itself.
    narrator_manifest: InputPath | None = Field(  # type: ignore[assignment]
        None, description="The narrator's dataset: name or manifest. Not with scores."
    )
    scores: list[Score] = Field(
        default_factory=list,
        description="A person's. Ask in chat; never invent them.",
    )


class RateSamplesAnswer(View):
    """The rating job, or the scores that were stored."""

    SHOWN_WHEN_EMPTY = frozenset({"job", "recorded"})

    job: JobView | None = None
    recorded: list[HumanRating] = Field(default_factory=list)
    human_ratings: str = Field("", description="human_ratings.jsonl: every score a person gave to these takes.")
    next: str = ""


async def rate_samples(args: RateSamplesArgs, context: ToolContext) -> RateSamplesAnswer:
    """Rate takes of synthesize from 1 to 5.

    Without scores: a job (CPU, seconds a take) that compares them with the narrator's clips and gives reasons. With a
    person's scores: stored at once. Use it after synthesize. Next: get_job, then a person's ears.
    """
    if not args.scores:
        if args.narrator_manifest is None:
            raise UserError(
                "bad_arguments",
                "rate_samples: narrator_manifest is missing: the automatic rating compares with the narrator's clips.",
                "Give narrator_manifest=PATH of the manifest that the voice was trained on, or a person's scores.",
            )
        job = await start(KIND, args, context)
        return RateSamplesAnswer(job=job)  # what to do next is in it
    return await to_thread.run_sync(_record, args, context)


def _record(args: RateSamplesArgs, context: ToolContext) -> RateSamplesAnswer:
    takes_path = Path(resolve_paths(args, context.settings, context.runner).takes)
    if takes_path.is_dir():
        takes_path /= "takes.jsonl"
    takes = list(read_rows(takes_path, Take))
    now = time.time()
    ratings = [
        HumanRating(
            audio=take.audio, text=take.text, score=score.score, note=score.note, at=round(now, 3), model=take.model
        )
        for score in args.scores
        for take in [_find_take(score.audio, takes, takes_path.parent)]
    ]
    path = takes_path.with_name(HUMAN_RATINGS)
    if not args.dry_run:
        append_durably(path, ratings)
    return RateSamplesAnswer(
        recorded=[] if args.dry_run else ratings,
        human_ratings=str(path),
        next="Nothing was stored. Call again without dry_run." if args.dry_run else "Stored.",
    )


def _find_take(audio: str, takes: Sequence[Take], folder: Path) -> Take:
    wanted = os.path.realpath(folder / audio)
    for take in takes:
        if audio in (take.audio, Path(take.audio).name) or os.path.realpath(folder / take.audio) == wanted:
            return take
    names = [Path(take.audio).name for take in takes]
    near = difflib.get_close_matches(Path(audio).name, names, n=1)
    raise UserError(
        "take_unknown",
        f"No take {audio!r} in {folder / 'takes.jsonl'}." + (f" Did you mean {near[0]!r}?" if near else ""),
        f"Nothing was stored. The takes: {', '.join(names[:20])}.",
    )


def append_durably(path: Path, rows: Sequence[BaseModel]) -> None:
    """Append lines so that all or none are there, whoever else appends, and that they survive a power cut."""
    text = "".join(row.model_dump_json(exclude_defaults=True) + "\n" for row in rows).encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size_bytes = os.fstat(descriptor).st_size
        if size_bytes and os.pread(descriptor, 1, size_bytes - 1) != b"\n":
            text = b"\n" + text  # an editor left the last line without its end
        try:
            if os.write(descriptor, text) != len(text):
                raise OSError("the disk took only a part")
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, size_bytes)
            raise UserError(
                "disk_full", f"The scores could not be written to {path}: {error}.", "Free some space and call again."
            ) from error
    finally:
        os.close(descriptor)
