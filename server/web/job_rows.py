"""Jobs as a person knows them: by what they do and of which voice or dataset; trials of a search below the search."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.model_folders.voice_names import name_model
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import all_kinds
from jobs.runner.models import JobRecord, Progress
from jobs.runner.paths import find_job_ids, is_job_id
from jobs.runner.progress.metric_history import MetricHistory
from tools.core.job_view import fraction_of, view_job
from tools.core.registry import find_kind_tool
from tools.core.subject import subject_of

MOST_READ = 300
MOST_SHOWN = 60
VALIDATION = "validation_loss"
# Measures after which a rise is no longer taken for chance.
MEASURES_TO_JUDGE = 2


@dataclass
class JobRow:
    """A line of the list.

    Attributes:
        record: of the store.
        title: what it does.
        subject: voice, dataset or takes that it is of; empty: unknown.
        parent: id of the search or loop that started it; empty: none.
        progress: newest report of a running one.
        eta_s: seconds that are left, if known.
        children: rows of the jobs that it started, newest first.
    """

    record: JobRecord
    title: str
    subject: str
    parent: str
    progress: Progress | None = None
    eta_s: float | None = None
    children: list["JobRow"] = field(default_factory=list)

    @property
    def share(self) -> float | None:
        """Part of the work that is done, 0 to 1."""
        return fraction_of(self.progress)

    @property
    def text(self) -> str:
        """Progress in units that a person reads, or why it waits, or how it failed."""
        record = self.record
        if record.state == "running" and self.progress is not None:
            counted = f"{self.progress.done:g} of {self.progress.total:g}" if self.progress.total else ""
            return self.progress.message or counted
        if record.state == "failed":
            return record.failure.message if record.failure is not None else record.detail
        return "" if record.is_finished else record.detail

    @property
    def n_running(self) -> int:
        """Number of its children that are not finished."""
        return sum(not child.record.is_finished for child in self.children)


def read_rows(runner: Runner, state: str = "", kind: str = "") -> list[JobRow]:
    """Return the newest jobs; those that a search started are in its row, if it is among them."""
    records = runner.list(state=state or None, kind=kind or None, limit=MOST_READ)
    rows = {record.job_id: make_row(record, runner) for record in records}
    top: list[JobRow] = []
    for row in rows.values():
        (rows[row.parent].children if row.parent in rows else top).append(row)
    return top[:MOST_SHOWN]


def make_row(record: JobRecord, runner: Runner) -> JobRow:
    """Return the row of one job."""
    tool = find_kind_tool(record.kind)
    subject = subject_of(record) if record.placed else name_subject(record.params)
    if is_job_id(subject):  # the voice or dataset is in the folder of the job that made it
        with suppress(UserError):
            subject = name_subject(runner.get(subject).params) or subject
    row = JobRow(record, tool.hints.title if tool else record.kind, subject, find_parent(record))
    if record.state == "running":
        row.progress = runner.progress(record.job_id)
        row.eta_s = view_job(record, runner, 0).eta_s
    return row


def name_subject(params: dict[str, Any]) -> str:
    """Return the voice, dataset or takes that a job is of, by its parameters."""
    for name in ("voice", "speaker", "study"):
        if isinstance(params.get(name), str) and params[name]:
            return str(params[name])
    for name in ("manifest", "takes"):
        if isinstance(params.get(name), str) and params[name]:
            folder = Path(params[name]).parent
            return folder.parent.name if folder.name in ("dataset", "samples") else folder.name
    for name in ("model", "base_model", "out_dir", "audio"):
        if isinstance(params.get(name), str) and params[name]:
            return name_model(params[name])
    return ""


def find_parent(record: JobRecord) -> str:
    """Return the search or loop in whose folder a job writes; empty: none."""
    mentioned = find_job_ids(json.dumps(record.params)) - {record.job_id}
    kinds = all_kinds()
    directors = [
        one for one in sorted(mentioned) if (kind := kinds.get(one.rsplit("-", 3)[0])) and kind.resource == "director"
    ]
    return directors[0] if directors else ""


def signature(runner: Runner) -> str:
    """Return a text that changes when the list would look different."""
    parts = []
    for record in runner.list(limit=MOST_SHOWN):
        newest = runner.progress(record.job_id) if record.state == "running" else None
        parts.append(f"{record.job_id} {record.state} {record.detail} {newest.at if newest else ''}")
    return "\n".join(parts)


def draw_curves(history: MetricHistory) -> dict[str, Any]:
    """Return the metrics of a job as columns for a plot: place in the work, then each metric with gaps."""
    at = [point.done for point in history.points]
    return {
        "at": at,
        "names": history.names,
        "columns": [[point.metrics.get(name) for point in history.points] for name in history.names],
        "advice": advise(history),
    }


def advise(history: MetricHistory) -> str:
    """Return advice when the validation loss rises; empty when it does not, or is not measured."""
    measured = [(point.done, point.metrics[VALIDATION]) for point in history.points if VALIDATION in point.metrics]
    if not measured:
        return ""
    best = min(range(len(measured)), key=lambda place: measured[place][1])
    after = len(measured) - 1 - best
    if after < MEASURES_TO_JUDGE:
        return ""
    return f"The validation loss has risen since step {measured[best][0]:g}: stop here, that one was the best."


def sort_recent(rows: Sequence[JobRow]) -> list[JobRow]:
    """Return unfinished jobs first, then the others, newest first."""
    now = time.time()
    return sorted(rows, key=lambda row: (row.record.is_finished, now - row.record.created_at))
