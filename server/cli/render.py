"""Answers as text, and a progress bar while a job runs."""

import time
from collections.abc import Iterable
from typing import Any, TextIO

from pydantic import BaseModel

from jobs.escaping import escape_line
from jobs.runner.models import JobRecord, Progress
from jobs.web_research_hparams.markdown_report import render_text
from server.cli.hints import as_shell_text
from tools.core.answer_fields import answer_fields
from tools.core.job_view import fraction_of, progress_text
from tools.core.views import ArtifactView, JobView, find_job
from tools.list_jobs import JobList
from tools.research.answer import WebResearchHparamsAnswer

BAR_WIDTH = 24
LONGEST_LINE = 110
MOST_LISTED = 12
# Without a terminal: a line at every tenth of the work, and at least at this interval.
LINE_EVERY_S = 30.0


def as_text(answer: BaseModel) -> str:
    """Return an answer as text."""
    job = find_job(answer)
    if job is not None:
        return _job(job)
    if isinstance(answer, JobList):
        return _jobs(answer)
    if isinstance(answer, WebResearchHparamsAnswer):
        return render_text(_at_the_shell(answer.whole()))
    return _joined(_lines(_at_the_shell(answer.model_dump(mode="json"))))


def as_json(answer: BaseModel) -> dict[str, Any]:
    """Return an answer as plain data: ``next`` as MCP clients get it, and beside it ``next_command`` for a shell."""

    def added(value: Any) -> Any:
        if isinstance(value, dict):
            command = {"next_command": as_shell_text(value["next"])} if isinstance(value.get("next"), str) else {}
            return {name: added(part) for name, part in value.items()} | command
        return [added(part) for part in value] if isinstance(value, list) else value

    fields: dict[str, Any] = answer_fields(answer)
    shown = {name: part if name == "result" else added(part) for name, part in fields.items()}
    return shown | ({"next_command": as_shell_text(fields["next"])} if fields.get("next") else {})


def _joined(lines: Iterable[str]) -> str:
    """Join lines of an answer; a line feed within one, as in a file's name, is shown as its escape."""
    return "".join(f"{escape_line(line)}\n" for line in lines)


def _at_the_shell(fields: dict[str, Any]) -> dict[str, Any]:
    """Return an answer's fields with ``next`` as commands."""
    return fields | {"next": as_shell_text(fields["next"])} if fields.get("next") else fields


def duration_text(seconds: float) -> str:
    """Return a duration such as ``3 min 20 s``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size_text(size_bytes: int) -> str:
    """Return a size such as ``1.2 MB``."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


class ProgressBar:
    """Progress of a job on a stream: one line rewritten at a terminal, a new line at intervals elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._shown_at = 0.0
        self._shown: object = None

    def update(self, job: JobRecord, progress: Progress | None) -> None:
        """Show the job's progress."""
        fraction = fraction_of(progress)
        text = progress_text(progress) if job.state == "running" else job.detail if job.state == "queued" else ""
        text = escape_line(text)
        if self._is_terminal:
            filled = round(BAR_WIDTH * (fraction or 0))
            share = f"{100 * fraction:3.0f} %" if fraction is not None else "  …  "
            bar = "#" * filled + "-" * (BAR_WIDTH - filled)
            self._stream.write(f"\r\x1b[K{job.kind} [{bar}] {share} {text or job.state}"[:LONGEST_LINE])
            self._stream.flush()
            return
        mark = (job.state, progress is not None, int(10 * (fraction or 0)))
        if mark != self._shown or time.monotonic() - self._shown_at > LINE_EVERY_S:
            self._shown, self._shown_at = mark, time.monotonic()
            self._stream.write(f"{job.kind}: {job.state}" + (f", {text}" if text else "") + "\n")
            self._stream.flush()

    def close(self) -> None:
        """End the line."""
        if self._is_terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _job(job: JobView) -> str:
    took = f" after {duration_text(job.elapsed_s)}" if job.elapsed_s else ""
    name = job.job_id or job.kind
    lines = [f"{name}: {job.state}{took}" + (" (reused)" if job.reused and job.state == "succeeded" else "")]
    if job.progress:
        lines.append(f"  {job.progress}" + (f", about {duration_text(job.eta_s)} left" if job.eta_s else ""))
    if job.error is not None:
        lines.append(f"  {job.error.code}: {job.error.message}")
    whole = f"./run.sh job {job.job_id} --detail"
    lines += ["  " + line.replace("get_job detail=true", whole) for line in _lines(job.result)]
    if job.artifacts:
        lines.append("  files:")
    lines += [f"    {_file(artifact)}" for artifact in job.artifacts[:MOST_LISTED]]
    if len(job.artifacts) > MOST_LISTED:
        lines.append(f"    … {len(job.artifacts) - MOST_LISTED} more")
    if job.log_tail:
        lines += ["  log:", *(f"    {line}" for line in job.log_tail)]
    if job.next:
        lines.append(f"next: {as_shell_text(job.next)}")
    return _joined(lines)


def _file(artifact: ArtifactView) -> str:
    """Return what a file is, its size where it is not named above, and its path, else its handle."""
    kind = "" if artifact.kind == artifact.name else f" ({artifact.kind})"
    size = f", {size_text(artifact.size_bytes)}" if artifact.size_bytes is not None else ""
    return f"{artifact.name}{kind}{size}: {artifact.path or artifact.handle}"


def _jobs(answer: JobList) -> str:
    if answer.explained:
        return as_shell_text(answer.explained) + "\n"
    lines = [f"{name:24} {path}" for name, path in answer.names.items()]
    lines += [
        f"{job.job_id:42} {job.state:11} {job.about[:14]:14} {duration_text(job.age_s):>12} ago  "
        f"{f'part of {job.parent}  ' if job.parent else ''}{job.progress or job.error}".rstrip()
        for job in answer.jobs
    ]
    return _joined([*lines, as_shell_text(answer.next)])


def _lines(value: Any, indent: str = "") -> list[str]:
    """Return nested plain data as indented ``name: value`` lines."""
    if isinstance(value, dict):
        lines = []
        for name, part in value.items():
            if isinstance(part, (dict, list)) and part:
                lines += [f"{indent}{name}:", *_lines(part, indent + "  ")]
            elif isinstance(part, str) and "\n" in part:
                lines += [f"{indent}{name}:", *(f"{indent}  | {line}" for line in part.rstrip("\n").split("\n"))]
            elif part not in (None, "", [], {}):
                lines.append(f"{indent}{name}: {_scalar(part)}")
        return lines
    if isinstance(value, list):
        lines = []
        for part in value[:MOST_LISTED]:
            inner = _lines(part, indent + "  ") if isinstance(part, (dict, list)) else [f"{indent}  {_scalar(part)}"]
            lines += [f"{indent}- {inner[0].strip()}", *inner[1:]] if inner else []
        return lines + ([f"{indent}- … {len(value) - MOST_LISTED} more"] if len(value) > MOST_LISTED else [])
    return [f"{indent}{_scalar(value)}"]


def _scalar(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"
