"""Waiting for a job, and building of the answer about it: state, progress, end of the log, artifacts, next step.

A poll must be cheap: an agent pays for every word of it. The hash of an artifact is for ``get_artifact``.
"""

import time
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from jobs.escaping import escape_line
from jobs.runner.call_text import call_text
from jobs.runner.client.runner import Runner
from jobs.runner.client.web_page import SEEN_AT, page_of
from jobs.runner.models import Artifact, JobRecord, Progress
from jobs.runner.paths import find_job_ids
from jobs.text.redaction import redact, redacted
from tools.core.call_text import call_of
from tools.core.registry import find_kind_tool
from tools.core.tool_types import ToolContext
from tools.core.views import ArtifactView, ErrorView, JobView

RUNNING_LOG_LINES = 4
FAILED_LOG_LINES = 6
EXPLAINED_LOG_LINES = 2  # of a failure with a message
LONGEST_LOG_LINE = 120
LONGEST_MESSAGE = 400
MOST_ARTIFACTS, MOST_ARTIFACTS_OTHERWISE = 4, 2
# Limits of a result without detail=true.
MOST_ITEMS, LONGEST_VALUE = 6, 200
SHORTEST_POLL_S, LONGEST_POLL_S, UNKNOWN_POLL_S = 2, 50, 10
# Below this share, elapsed time is mostly the loading of models and gives no estimate.
LEAST_FRACTION_FOR_ETA = 0.02
CHAIN = "It was a step of several, and the rest is cancelled: repeat the call of all, which goes on where it ended. "
FIRST_LOOK_S, LONGEST_LOOK_S = 0.02, 0.5  # between two looks at a job that is waited for


def view_job(
    record: JobRecord, runner: Runner, log_lines: int | None = None, *, reused: bool | None = None, detail: bool = False
) -> JobView:
    """Build the answer about a job; ``detail``: the whole result and all artifacts, however long.

    Without ``log_lines``: 4 lines while it runs, 6 when it failed (2 if it said why), else none.
    """
    newest = runner.progress(record.job_id)
    fraction = fraction_of(newest)
    if log_lines is None:
        failed = EXPLAINED_LOG_LINES if record.failure is not None else FAILED_LOG_LINES
        log_lines = failed if record.state == "failed" else 0 if record.is_finished else RUNNING_LOG_LINES
    elapsed_s = _elapsed_s(record)
    artifacts = runner.artifacts(record.job_id)
    most = MOST_ARTIFACTS if record.state == "succeeded" else MOST_ARTIFACTS_OTHERWISE
    result = redacted(record.result or {})
    log_tail = [redact(shorten(line)) for line in runner.log_tail(record.job_id, log_lines)] if log_lines else []
    eta_s = _eta_s(newest, elapsed_s) if record.state == "running" else None
    return JobView(
        job_id=record.job_id,
        kind=record.kind,
        state=record.state,
        progress=_progress(record, newest),
        fraction=round(fraction, 3) if fraction is not None and not record.is_finished else None,
        elapsed_s=round(elapsed_s, 1),
        eta_s=eta_s,
        poll_after_s=None if record.is_finished else _poll_after_s(eta_s),
        reused=reused,
        result=result if detail else _shortened(result),
        error=_error(record),
        reason=record.reason if record.state != "succeeded" else None,
        artifacts=[
            _brief(artifact, result=result, is_finished=record.is_finished)
            for artifact in artifacts[: None if detail else most]
        ],
        n_artifacts=len(artifacts) if len(artifacts) > most and not detail else None,
        log_tail=log_tail,
        next=redact(next_step(record, runner)) + _where_to_look(record, runner),
    )


def _where_to_look(record: JobRecord, runner: Runner) -> str:
    """Return the sentence that names the job's page, while the web application runs."""
    page = page_of(record, runner.home) if record.parent is None and not record.is_collected else ""
    return f"{SEEN_AT}{page}" if page else ""


async def wait_for(job_id: str, wait_s: float, context: ToolContext) -> JobRecord:
    """Return a job when it is finished, at the latest after ``wait_s``; no thread is held meanwhile.

    Raises ``UserError``: ``job_unknown``.
    """
    deadline, look_s = time.monotonic() + wait_s, FIRST_LOOK_S
    best = -1.0
    record, newest = await to_thread.run_sync(_look, job_id, context.runner)
    while not record.is_finished and (left_s := deadline - time.monotonic()) > 0:
        if newest is not None and newest.done > best:  # a client may refuse progress that does not rise
            best = newest.done
            await context.report(newest.done, newest.total, progress_text(newest))
        await anyio.sleep(min(look_s, left_s))
        look_s = min(look_s * 1.5, LONGEST_LOOK_S)
        record, newest = await to_thread.run_sync(_look, job_id, context.runner)
    return record


def next_step(record: JobRecord, runner: Runner) -> str:
    """Return what to do about a job in its present state."""
    job = record.job_id
    wait = _look_at(job, wait_s=50)
    tool = find_kind_tool(record.kind)
    again = call_text(tool.name, call_of(record, tool.args)) if tool is not None else record.kind
    match record.state:
        case "queued" | "starting" | "interrupted":
            return f"Queued; no action needed. Poll with {wait}."
        case "running" if record.resource == "service":
            return f"Serves until it is cancelled: {call_text('cancel_job', {'job_id': job})}."
        case "running" if record.tries > 1:
            return (
                f"Running, start {record.tries} of {record.max_tries}: the one before was interrupted, and what it had "
                f"saved is used. Call {wait} until it is finished."
            )
        case "running":
            return f"Running; no action needed. Call {wait} until it is finished."
        case _ if record.is_collected and not _has_voice(record):
            return f"Its files were deleted to free the disk (./run.sh gc). To make them anew call {again}"
        case "succeeded" | "cancelled" if record.parent is not None:
            return f"A part of {record.parent}, which goes on by itself. Call {_look_at(record.parent)}."
        case "succeeded" if record.follower is not None:
            return f"The job that waited for it goes on by itself. Call {_look_at(record.follower, wait_s=50)}."
        case "succeeded":
            return tool.next_step(record, runner) if tool is not None else ""
        case "cancelled" if record.reason == "dependency":
            look = _look_at(cause) if (cause := cause_of(record)) else "list_jobs"
            return f"It never ran, because a job that it needs did not succeed. Call {look}; fix the cause there."
        case "cancelled":
            return f"What it finished is kept. {CHAIN if record.has_ended_chain else ''}To continue call {again}"
        case _:
            hint = record.failure.hint if record.failure is not None else ""
            hint = hint or f"Read {_look_at(job, log_lines=50)} and fix the cause."
            if record.parent is not None:
                return f"{hint} It is a part of {record.parent}: call {_look_at(record.parent)}."
            return f"{hint} {CHAIN if record.has_ended_chain else ''}The call was: {again}"


def _look_at(job_id: str, **more: int) -> str:
    return call_text("get_job", {"job_id": job_id, **more})


def _has_voice(record: JobRecord) -> bool:
    """Return whether the job's voice is still there: a collection leaves voices."""
    voice = (record.result or {}).get("voice")
    return isinstance(voice, str) and Path(voice).is_dir()


def cause_of(record: JobRecord) -> str | None:
    """Return the id of the job whose end has cancelled this one before it ran; None: there is none."""
    if record.reason != "dependency":
        return None
    return next(iter(find_job_ids(record.detail.partition(", which")[0])), None)


def progress_text(progress: Progress | None) -> str:
    """Return ``40/200 training, 1.3/s loss=2.1``; rates are by second, minute or hour, parts of units in percent."""
    if progress is None:
        return ""
    counted = _counted(progress.done, progress.total)
    metrics = " ".join(f"{name}={value:.4g}" for name, value in progress.metrics.items())
    text = ", ".join(part for part in (shorten(progress.message), _rate_text(progress.rate)) if part)
    return escape_line(" ".join(part for part in (counted, text, metrics) if part))


def _counted(done: float, total: float | None) -> str:
    if not total:
        return f"{done:g}" if done and done == int(done) else ""
    if done == int(done) and total == int(total):
        return f"{done:.0f}/{total:.0f}"
    return f"{100 * min(1.0, done / total):.0f} %,"


def fraction_of(progress: Progress | None) -> float | None:
    """Return the share of the work that is done, 0 to 1, when the total is known."""
    if progress is None or not progress.total:
        return None
    return min(1.0, max(0.0, progress.done / progress.total))


def view_artifact(artifact: Artifact) -> ArtifactView:
    """Build the full view of an artifact."""
    return ArtifactView.model_validate(artifact, from_attributes=True)


def shorten(line: str, longest: int = LONGEST_LOG_LINE) -> str:
    """Cut a line to a length."""
    line = line.rstrip()
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _look(job_id: str, runner: Runner) -> tuple[JobRecord, Progress | None]:
    record = runner.get(job_id)
    return record, None if record.is_finished else runner.progress(job_id)


def _progress(record: JobRecord, newest: Progress | None) -> str:
    if record.state in ("running", "cancelled"):  # of a stopped one: how far it came
        return progress_text(newest)
    return record.detail if record.state in ("queued", "interrupted") else ""


def _brief(artifact: Artifact, *, result: dict[str, Any], is_finished: bool) -> ArtifactView:
    """An artifact without its hash, and without the path and size that the result already has."""
    brief = ArtifactView(name=artifact.name, kind=artifact.kind, handle=artifact.handle)
    if not is_finished or artifact.path in result.values():
        return brief
    return brief.model_copy(update={"path": artifact.path, "size_bytes": artifact.size_bytes})


def _shortened(value: Any) -> Any:
    """A result whose long lists and texts are cut; ``get_job detail=true`` has all."""
    if isinstance(value, str):
        return _first_lines(value)
    if isinstance(value, dict):
        return {key: _shortened(part) for key, part in value.items()}
    if isinstance(value, list):
        more = [f"… {len(value) - MOST_ITEMS} more: get_job detail=true"] if len(value) > MOST_ITEMS else []
        return [_shortened(part) for part in value[:MOST_ITEMS]] + more
    return value


def _first_lines(text: str) -> str:
    """The lines of a text that fit; the first one alone is cut after a word."""
    if len(text) <= LONGEST_VALUE:
        return text
    lines = text.splitlines()
    kept = [line for n, line in enumerate(lines) if len("\n".join(lines[: n + 1])) <= LONGEST_VALUE]
    if kept:
        return "\n".join([*kept, f"… {len(lines) - len(kept)} more lines: get_job detail=true"])
    return f"{lines[0][:LONGEST_VALUE].rpartition(' ')[0] or lines[0][:LONGEST_VALUE]} … the rest: get_job detail=true"


def _rate_text(rate: float | None) -> str:
    if not rate:
        return ""
    per, unit = next(((s, unit) for s, unit in ((1, "s"), (60, "min")) if rate * s >= 1), (3600, "h"))
    return f"{rate * per:.3g}/{unit}"


def _eta_s(newest: Progress | None, elapsed_s: float) -> int | None:
    """Seconds left at the present rate, or at the mean rate since the start while no rate is known."""
    fraction = fraction_of(newest)
    if newest is None or fraction is None:
        return None
    if newest.rate and newest.total:
        return round((newest.total - min(newest.done, newest.total)) / newest.rate)
    # After an interruption the elapsed time still counts from the first start: an overestimate.
    return round(elapsed_s * (1 - fraction) / fraction) if fraction >= LEAST_FRACTION_FOR_ETA else None


def _elapsed_s(record: JobRecord) -> float:
    if record.started_at is None:
        return 0.0
    return max(0.0, (record.ended_at if record.ended_at is not None else time.time()) - record.started_at)


def _poll_after_s(eta_s: float | None) -> int:
    if eta_s is None:
        return UNKNOWN_POLL_S
    return int(min(LONGEST_POLL_S, max(SHORTEST_POLL_S, eta_s / 2)))


def _error(record: JobRecord) -> ErrorView | None:
    if record.reason == "dependency":
        return ErrorView(code="job_dependency", message=record.detail)
    if record.state != "failed":
        return None
    if record.failure is not None:
        message = shorten(redact(record.failure.message), LONGEST_MESSAGE)
        return ErrorView(code=record.failure.code, message=message)  # `next` begins with its hint
    return ErrorView(
        code=f"job_{record.reason or 'failed'}",
        message=redact(record.detail) or "The worker exited without an error message.",
    )
