"""The tool ``apply_corrections``: corrections are stored at once; a job applies them, others align and encode again.

``jobs.apply_corrections.spec`` declares what agents and people read of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from pydantic import Field, WithJsonSchema

from jobs.align.spec import KIND as ALIGN
from jobs.apply_corrections.params import Params
from jobs.apply_corrections.spec import KIND
from jobs.convert_codes.spec import KIND as CONVERT_CODES
from jobs.dataset.corrections.base import MANIFEST, find_base
from jobs.dataset.corrections.places import PlacedRow, key_of
from jobs.dataset.corrections.record import CORRECTIONS, Change, Correction, record
from jobs.dataset.manifest import read_rows
from jobs.errors import UserError
from jobs.param_types import rare
from jobs.runner.call_text import call_text
from jobs.runner.job_kind import JobKind
from jobs.runner.models import JobRecord
from tools.core.start import start
from tools.core.tool_types import StartArgs, ToolContext
from tools.core.views import JobView, View
from tools.inputs.paths import resolve_paths
from tools.start_tools import make_arguments

MOST_CHANGES = 500
MOST_EARLIER = 200


class ApplyCorrectionsArgs(StartArgs, Params):
    """Arguments of ``apply_corrections``."""

    changes: Annotated[list[Change], WithJsonSchema({"type": "array", "items": {"type": "object"}})] = Field(
        default_factory=list,
        max_length=MOST_CHANGES,
        description="Stored first: {clip: audio of its line, or RECORDING@START-END of a rejection without; action: "
        "change|drop|keep|reference|undo; parts: [{text, start_s, end_s}], several to split; seen: id of its last "
        "correction, to refuse if there is a newer}.",
    )
    who: str = rare("", max_length=100, description="Who corrects.")
    only_store: bool = Field(False, description="Start no job yet.")


class FollowUp(View):
    """A job that brings a later file of the dataset up to date."""

    tool: str
    job_id: str


class ApplyCorrectionsAnswer(View):
    """Corrections that were stored, and the jobs that apply them."""

    SHOWN_WHEN_EMPTY = frozenset({"job"})

    recorded: list[Correction] = Field(default_factory=list)
    job: JobView | None = None
    then: list[FollowUp] = Field(default_factory=list, description="Jobs that align and encode what changed.")
    corrections: str = Field("", description="corrections.jsonl: all corrections of the dataset.")
    next: str = ""


async def apply_corrections(args: ApplyCorrectionsArgs, context: ToolContext) -> ApplyCorrectionsAnswer:
    """Store what the call brings; then start the jobs, unless it only stores."""
    found = await to_thread.run_sync(_store, args, context)
    if args.only_store:
        return found
    job = await start(KIND, args, context)
    if args.dry_run or job.job_id is None:
        return found.model_copy(update={"job": job, "next": ""})
    after, then = job.job_id, []
    for step in await to_thread.run_sync(lambda: list(_follow_ups(args, context))):
        view = await start(step.kind, step.arguments(after), context)
        if view.job_id is None:
            break
        after = view.job_id
        then.append(FollowUp(tool=step.kind.tool_name, job_id=after))
    look = call_text("get_job", {"job_id": after, "wait_s": 50})
    return found.model_copy(update={"job": job, "then": then, "next": f"Call {look}."})


def _store(args: ApplyCorrectionsArgs, context: ToolContext) -> ApplyCorrectionsAnswer:
    dataset = Path(resolve_paths(args, context.settings, context.runner).manifest).parent
    path = str(dataset / CORRECTIONS)
    call = call_text("apply_corrections", {"manifest": args.manifest})
    if not args.changes:
        return ApplyCorrectionsAnswer(corrections=path, next=f"Nothing was given to store. To apply them call {call}")
    keys, audios = zip(*_find_clips(dataset, args.changes), strict=True)
    if args.dry_run:
        return ApplyCorrectionsAnswer(corrections=path, next="Nothing was stored. Call again without dry_run.")
    recorded = record(dataset, args.changes, keys, audios, args.who)
    return ApplyCorrectionsAnswer(recorded=recorded, corrections=path, next=f"Stored. To apply them call {call}")


def _find_clips(dataset: Path, changes: Sequence[Change]) -> list[tuple[str, str]]:
    """Return key and file of the clip that each change names; raise ``clip_unknown``."""
    base = find_base(dataset)
    wanted = {change.clip for change in changes}
    found: dict[str, tuple[str, str]] = {}
    for path in (base.manifest, base.rejections, *([dataset / MANIFEST] if base.is_apart else [])):
        for row in read_rows(path, PlacedRow) if path.is_file() else ():
            key = row.correction_of or key_of(row)
            for name in wanted.intersection((row.audio or "", key)) - found.keys():
                found[name] = key, row.audio or ""
    missing = sorted(wanted - found.keys())
    if missing:
        raise UserError(
            "clip_unknown",
            f"{dataset} has no clip {missing[0]!r}" + (f" and {len(missing) - 1} others." if missing[1:] else "."),
            "Give audio of a line of train_manifest.jsonl or rejections.jsonl; of a rejection without audio "
            "RECORDING@START-END in seconds with three digits. Nothing was stored.",
        )
    return [found[change.clip] for change in changes]


@dataclass(frozen=True)
class _Step:
    """A later step of the dataset that was done before, to be done again with the same parameters."""

    kind: JobKind
    params: dict[str, Any]

    def arguments(self, after: str) -> Any:
        """Return the arguments of the tool that starts it after another job."""
        given = {name: value for name, value in self.params.items() if value not in (None, "")}
        return make_arguments(self.kind).model_validate({**given, "after": [after], "reuse": False})


def _follow_ups(args: ApplyCorrectionsArgs, context: ToolContext) -> Iterator[_Step]:
    """Yield the alignment that was made of the dataset, and the encoding that was made of that."""
    manifest = resolve_paths(args, context.settings, context.runner).manifest
    for kind in (ALIGN, CONVERT_CODES):
        earlier = _newest(kind, manifest, context)
        if earlier is None:
            return
        yield _Step(kind, earlier.params)
        manifest = str((earlier.result or {}).get("manifest", ""))


def _newest(kind: JobKind, manifest: str, context: ToolContext) -> JobRecord | None:
    """Return the newest job of a kind that has succeeded with a manifest."""
    jobs = context.runner.list(kind=kind.name, state="succeeded", limit=MOST_EARLIER)
    return next((job for job in jobs if job.params.get("manifest") == manifest), None)
