"""What can be read by address: a job's log and what it published. Knows nothing of the wire."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from jobs.errors import UserError
from jobs.runner.client import Runner
from tools.get_artifact import find_artifact, is_text, mime_type_of

LONGEST_LOG_LINES = 2000
LARGEST_BYTES = 1024 * 1024  # one JSON message in base64; larger things are read from their path
_LOG = re.compile(r"job://([^/]+)/log")


@dataclass(frozen=True)
class Template:
    """An address with a gap (RFC 6570)."""

    name: str
    uri: str
    about: str


TEMPLATES = (
    Template("job-log", "job://{job_id}/log", f"The newest {LONGEST_LOG_LINES} lines of a job's log."),
    Template(
        "artifact",
        "artifact://{job_id}/{+name}",
        "What a job published, up to 1 MiB; a folder as its list. get_artifact gives the path of anything.",
    ),
)


def read_resource(uri: str, runner: Runner) -> tuple[str | bytes, str]:
    """Content and MIME type of an address.

    Raises:
        UserError: ``resource_unknown``, ``resource_too_large``, or what the lookup of job or artifact raises.
    """
    log = _LOG.fullmatch(uri)
    if log is not None:
        return "\n".join(runner.log_tail(log[1], LONGEST_LOG_LINES)) + "\n", "text/plain"
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
    mime_type = mime_type_of(path)
    content = path.read_bytes()
    return (content.decode("utf-8", errors="replace") if is_text(mime_type) else content), mime_type
