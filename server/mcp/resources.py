"""What can be read by address: a job's log, curves and artifacts, a tool's help. Knows nothing of the wire."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from jobs.errors import UserError
from jobs.plotting.render_client import plot_of
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from tools.core.redact import redact
from tools.core.registry import find_tool
from tools.docs.help import help_text
from tools.get_artifact import find_artifact, guess_mime_type, is_text

LONGEST_LOG_LINES = 2000
LARGEST_BYTES = 1024 * 1024  # one JSON message in base64; larger things are read from their path
OF_TOOL = "tool://"
_OF_JOB = re.compile(r"job://([^/]+)/(log|plot)")


@dataclass(frozen=True)
class Template:
    """An address with a gap (RFC 6570)."""

    name: str
    uri: str
    about: str
    mime_type: str | None = None  # None: as the thing itself is


TEMPLATES = (
    Template("job-log", "job://{job_id}/log", f"The newest {LONGEST_LOG_LINES} lines of a job's log.", "text/plain"),
    Template(
        "job-plot", "job://{job_id}/plot", "The curves of what a job has measured so far, e.g. its loss.", "image/png"
    ),
    Template(
        "artifact",
        "artifact://{job_id}/{+name}",
        "What a job published, up to 1 MiB; a folder as its list. get_artifact gives the path of anything.",
    ),
    Template(
        "tool-help", "tool://{tool}", "Everything about a tool: each parameter with range and default.", "text/plain"
    ),
)


def read_resource(uri: str, runner: Runner, settings: Settings) -> tuple[str | bytes, str]:
    """Content and MIME type of an address.

    Raises:
        UserError: ``resource_unknown``, ``resource_too_large``, or what the lookup of job, artifact or tool, or the
            plot, raises.
    """
    if uri.startswith(OF_TOOL):
        return help_text(find_tool(uri.removeprefix(OF_TOOL))), "text/plain"
    of_job = _OF_JOB.fullmatch(uri)
    if of_job is not None and of_job[2] == "log":
        return redact("\n".join(runner.log_tail(of_job[1], LONGEST_LOG_LINES))) + "\n", "text/plain"
    if of_job is not None:
        return plot_of(of_job[1], runner, settings).read_bytes(), "image/png"
    if not uri.startswith("artifact://"):
        known = " or ".join(template.uri for template in TEMPLATES)
        raise UserError("resource_unknown", f"There is no resource {uri!r}.", f"Resources are {known}.")
    artifact = find_artifact(uri, runner)
    path = runner.resolve(uri)
    if path.is_dir():
        names = sorted(item.relative_to(path).as_posix() for item in path.rglob("*") if item.is_file())
        return json.dumps({"path": str(path), "files": names}, ensure_ascii=False), "application/json"
    if artifact.size_bytes > LARGEST_BYTES:
        raise UserError("resource_too_large", f"{uri} has {artifact.size_bytes} bytes.", f"Read the file {path}.")
    mime_type = guess_mime_type(path)
    content = path.read_bytes()
    return (content.decode("utf-8", errors="replace") if is_text(mime_type) else content), mime_type
