"""Resources by URI: a job's log, plot and artifacts, and a tool's help."""

import json
import re
from dataclasses import dataclass

from mcp_types import ResourceTemplate

from jobs.errors import UserError
from jobs.escaping import escape
from jobs.files.own_files import walk_files
from jobs.files.reading import read_bytes
from jobs.plotting.render_client import draw_job_plot
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from jobs.text.redaction import redact
from tools.core.registry import find_tool
from tools.docs.help import help_text
from tools.get_artifact import find_artifact, guess_mime_type, is_text
from tools.inputs.paths import resolve_handle

LONGEST_LOG_LINES = 2000
LARGEST_BYTES = 1024 * 1024  # one JSON message in base64; larger things are read from their path
TOOL_SCHEME = "tool://"
_JOB_URI = re.compile(r"job://([^/]+)/(log|plot)")


_ARTIFACT = "An artifact of a job, up to 1 MiB; a folder as its list of files. get_artifact gives the path of any."
TEMPLATES = [
    ResourceTemplate(name=name, uri_template=uri, description=about, mime_type=mime_type)
    for name, uri, about, mime_type in (
        ("job-log", "job://{job_id}/log", f"The newest {LONGEST_LOG_LINES} lines of a job's log.", "text/plain"),
        ("job-plot", "job://{job_id}/plot", "The curves of a job's metrics so far, e.g. its loss.", "image/png"),
        ("artifact", "artifact://{job_id}/{+name}", _ARTIFACT, None),
        ("tool-help", "tool://{tool}", "Everything about a tool: each parameter with range and default.", "text/plain"),
    )
]


@dataclass(frozen=True)
class Resource:
    """Content of a resource; ``is_untrusted``: it holds words of strangers."""

    content: str | bytes
    mime_type: str
    is_untrusted: bool = True

    def shown(self) -> str | bytes:
        """Return the content, a text without secrets and deceptive characters, as answers of tools have it."""
        return escape(redact(self.content)) if isinstance(self.content, str) else self.content


def read_resource(uri: str, runner: Runner, settings: Settings) -> Resource:
    """Return what a URI names.

    Raises:
        UserError: ``resource_unknown``, ``resource_too_large``, or what the lookup of job, artifact or tool, or the
            plot, raises.
    """
    if uri.startswith(TOOL_SCHEME):
        return Resource(help_text(find_tool(uri.removeprefix(TOOL_SCHEME))), "text/plain", is_untrusted=False)
    of_job = _JOB_URI.fullmatch(uri)
    if of_job is not None and of_job[2] == "log":
        return Resource("\n".join(runner.log_tail(of_job[1], LONGEST_LOG_LINES)) + "\n", "text/plain")
    if of_job is not None:
        return Resource(read_bytes(draw_job_plot(of_job[1], runner, settings), LARGEST_BYTES), "image/png")
    if not uri.startswith("artifact://"):
        known = " or ".join(template.uri_template for template in TEMPLATES)
        raise UserError("resource_unknown", f"There is no resource {uri!r}.", f"Resources are {known}.")
    artifact = find_artifact(uri, runner)
    path = resolve_handle(uri, "uri", settings, runner)
    if path.is_dir():
        names = sorted(item.relative_to(path).as_posix() for item in walk_files(path) if item.is_file())
        return Resource(json.dumps({"path": str(path), "files": names}, ensure_ascii=False), "application/json")
    if artifact.size_bytes > LARGEST_BYTES:
        raise UserError("resource_too_large", f"{uri} has {artifact.size_bytes} bytes.", f"Read the file {path}.")
    mime_type = guess_mime_type(path)
    content = read_bytes(path, LARGEST_BYTES)
    return Resource(content.decode("utf-8", errors="replace") if is_text(mime_type) else content, mime_type)
