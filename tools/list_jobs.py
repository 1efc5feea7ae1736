"""The tool ``list_jobs``."""

import time
from collections.abc import Sequence
from typing import Literal

from anyio import to_thread
from pydantic import Field

from jobs.environments.doctor import examine, render
from jobs.errors import UserError
from jobs.param_types import Strict, Untrusted
from jobs.runner.call_text import call_text
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import all_kinds
from jobs.runner.models import JobRecord, State
from tools.core.job_view import cause_of, next_step, progress_text, shorten
from tools.core.registry import all_tools
from tools.core.subject import subject_of
from tools.core.tool_types import Hints, ToolContext
from tools.core.views import View
from tools.docs.help import explain_tool
from tools.inputs.arguments import nearest
from tools.inputs.references import list_all_voices, list_datasets

HINTS = Hints(title="List jobs", read_only=True, order=910)
BEGIN = (
    'No jobs yet. With a recording and its text call ingest_audiobook audio="book.m4b" voice="anna" text="book.txt", '
    "or make_voice with the same for all steps at once (base_model=toy: without GPU or download). With clips call "
    'ingest_clips audio_dir="clips" transcripts="clips.jsonl". Requires: the files, and consent of the speaker.'
)


class ListJobsArgs(Strict):
    """Arguments of ``list_jobs``."""

    explain: str | None = Field(None, description="A tool, and words to choose parameters: start_training lora")

    what: Literal["jobs", "datasets", "voices", "installation"] = Field(
        "jobs", description="datasets, voices: names and folders. installation: what is missing."
    )
    state: State | None = Field(None, description="")
    kind: str | None = Field(None, description="Tool or kind, e.g. align.")
    limit: int = Field(10, ge=1, le=50, description="")
    before: str | None = Field(None, description="job_id: older ones than this.")


class JobLine(View):
    """A job in one line."""

    job_id: str
    kind: str
    state: State
    about: Untrusted = Field("", description="Voice, dataset or model.")
    parent: str | None = Field(None, description="Job that has started it.")
    progress: Untrusted = ""
    error: str = Field("", description="Code of the failure.")
    age_s: int = Field(description="Since it was submitted.")


class JobList(View):
    """Jobs, newest first."""

    SHOWN_WHEN_EMPTY = frozenset({"jobs"})

    jobs: list[JobLine] = Field(default_factory=list)
    names: dict[str, str] = Field(default_factory=dict, description="Of datasets or voices, with their folders.")
    explained: str = Field("", description="Help of the tool, or state of the installation.")
    next: str


async def list_jobs(args: ListJobsArgs, context: ToolContext) -> JobList:
    """Every job here, newest first, and what to do next. Begin here, also when a job_id is lost.

    explain=TOOL explains a tool with all its parameters instead. Free. A tool that starts a job takes dry_run (check
    and estimate only), after (job_ids to wait for), and in more, with what few calls need: wait_s 0..50 (for the
    job's end), idempotency_key, reuse=false (do it again), priority -100..100, not_before (8h), max_run_hours,
    backend local|slurm.
    """
    if args.explain is not None:
        text = explain_tool(args.explain)
        return JobList(explained=text, next=f"Call {text.partition(':')[0]}.")
    if args.what == "installation":
        return await to_thread.run_sync(_examine, context)
    if args.what != "jobs":
        return await to_thread.run_sync(_list_names, args.what, context)
    return await to_thread.run_sync(_list, args, context.runner)


def _examine(context: ToolContext) -> JobList:
    """Report what is installed, and the first thing to do about what is missing."""
    findings = examine(context.settings)
    missing = {finding.name: finding.fix for finding in findings if finding.state == "missing"}
    if "environment ml" in missing:
        return JobList(explained=render(findings), next="Call setup.")
    fixes = "; ".join(f"{name}: {fix}" for name, fix in missing.items())
    return JobList(explained=render(findings), next=fixes or "Nothing is missing. Call list_jobs for what to do next.")


def _list_names(what: str, context: ToolContext) -> JobList:
    """List what the names of datasets or voices stand for."""
    if what == "datasets":
        names = {name: str(path) for name, path in list_datasets(context.settings).items()}
        use = "align or convert_codes as manifest"
    else:
        names = {name: str(path) for name, path in list_all_voices(context.settings, context.runner).items()}
        use = "synthesize as model"
    return JobList(names=names, next=f"Give a name to {use}." if names else BEGIN)


def _list(args: ListJobsArgs, runner: Runner) -> JobList:
    records = runner.list(state=args.state, kind=_kind_name(args.kind, runner), limit=args.limit, before=args.before)
    lines = [_line(record, runner) for record in records]
    if not lines:
        is_narrowed = args.state or args.kind or args.before
        return JobList(next="No more jobs match. Call list_jobs for all." if is_narrowed else BEGIN)
    older = call_text("list_jobs", {"before": lines[-1].job_id})
    page = f" Older: {older}." if len(lines) == args.limit else ""
    shown = _most_telling(records, runner)
    return JobList(jobs=lines, next=f"{shown.job_id} ({shown.state}): {next_step(shown, runner).rstrip('.')}.{page}")


def _most_telling(records: Sequence[JobRecord], runner: Runner) -> JobRecord:
    """Return the job to act on: one that runs, else the newest, but rather its parent, or the failure behind it."""
    shown = next((record for record in records if not record.is_finished), records[0])
    if shown.parent is not None:
        shown = runner.get(shown.parent)
    cause = cause_of(shown)
    return shown if cause is None else runner.get(cause)


def _kind_name(kind: str | None, runner: Runner) -> str | None:
    """The kind that a tool starts, or the name itself. Raises ``UserError`` ``bad_arguments`` for an unknown one."""
    tool = all_tools().get(kind) if kind is not None else None
    if tool is not None and tool.kind is not None:
        return tool.kind.name
    started = {tool.name: tool.summary for tool in all_tools().values() if tool.kind is not None}
    known = started | dict.fromkeys(all_kinds(), "")
    if kind is not None and kind not in known and not any(runner.list(kind=kind, limit=1)):
        near = nearest(kind, known)
        meant = f" Did you mean {near!r}?" if near else ""
        raise UserError(
            "bad_arguments", f"list_jobs: there are no jobs of a kind {kind!r}.{meant}", f"Kinds: {', '.join(started)}."
        )
    return kind


def _line(record: JobRecord, runner: Runner) -> JobLine:
    return JobLine(
        job_id=record.job_id,
        kind=record.kind,
        state=record.state,
        about=subject_of(record),
        parent=record.parent,
        progress=_progress(record, runner),
        error=record.failure.code if record.failure is not None else record.reason or "",
        age_s=round(time.time() - record.created_at),
    )


def _progress(record: JobRecord, runner: Runner) -> str:
    """Progress of a running job, or the reason of a wait."""
    if record.is_finished:
        return ""
    return (
        shorten(progress_text(runner.progress(record.job_id))) if record.state == "running" else shorten(record.detail)
    )
