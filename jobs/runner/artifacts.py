"""Artifacts of jobs: one JSON line each in the attempt's folder, and handles that are checked when they are used."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from jobs.errors import UserError
from jobs.files.own_files import walk_files
from jobs.files.reading import read_bytes
from jobs.runner.models import Artifact
from jobs.runner.paths import AttemptFolder
from jobs.trust import owners

SCHEME = "artifact://"
LARGEST_LIST_BYTES = 64 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


def record(attempt: AttemptFolder, job_id: str, name: str, path: Path, kind: str) -> Artifact:
    """Measure a finished file or folder and append it to the attempt's list.

    Raises:
        ValueError: the name cannot be part of a handle.
        FileNotFoundError: there is nothing at ``path``.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"artifact name {name!r}: use letters, digits and . _ - /")
    path = path.resolve(strict=True)
    size_bytes, sha256 = measure(path)
    artifact = Artifact(
        job_id=job_id, name=name, kind=kind, path=str(path), size_bytes=size_bytes, sha256=sha256
    )  # fmt: skip
    job_folder, home = attempt.path.parent.resolve(), attempt.home.resolve()
    line = artifact.model_dump()
    # relative, so that a home that moves takes its artifacts along
    if path.is_relative_to(job_folder):
        line["path"] = str(path.relative_to(job_folder))
    elif path.is_relative_to(home):
        line["path"], line["is_in_home"] = str(path.relative_to(home)), True
    with owners.open_to_append(attempt.artifacts) as stream:
        stream.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
        stream.flush()
        os.fsync(stream.fileno())
    return artifact


def published(attempts: Iterable[AttemptFolder]) -> list[Artifact]:
    """Return the artifacts of a job's attempts (oldest first); a name published again replaces the older one."""
    found: dict[str, Artifact] = {}
    for attempt in attempts:
        for artifact in _lines(attempt):
            found.pop(artifact.name, None)
            found[artifact.name] = artifact
    return list(found.values())


def _lines(attempt: AttemptFolder) -> Iterator[Artifact]:
    try:
        content = read_bytes(attempt.artifacts, LARGEST_LIST_BYTES)
    except (OSError, UserError):
        return
    for line in content.splitlines():
        try:
            fields = json.loads(line)
            base = attempt.home if fields.pop("is_in_home", False) else attempt.path.parent
            artifact = Artifact.model_validate(fields | {"path": str(base / fields["path"])})
        except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
            continue  # the torn last line of a worker that was killed, or what no worker of ours writes
        if _NAME.fullmatch(artifact.name):
            yield artifact


def measure(path: Path) -> tuple[int, str]:
    """Return size in bytes and SHA-256: of a file's content; of a folder's sorted listing (relative path and size).

    A folder's content is not hashed: an export of several GB would be read at every use.
    """
    if path.is_file():
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return path.stat().st_size, digest
    total, listing = 0, hashlib.sha256()
    for file in sorted(item for item in (walk_files(path) if path.is_dir() else ()) if item.is_file()):
        size = file.stat().st_size
        total += size
        listing.update(f"{file.relative_to(path).as_posix()}\0{size}\n".encode())
    return total, listing.hexdigest()


def split_handle(handle: str) -> tuple[str, str]:
    """Return job id and name of ``artifact://<job>/<name>``.

    Raises:
        UserError: ``artifact_unknown``.
    """
    job_id, slash, name = handle.removeprefix(SCHEME).partition("/")
    if not handle.startswith(SCHEME) or not slash or not name:
        raise UserError(
            "artifact_unknown", f"{handle!r} is not a handle of the form artifact://<job>/<name>.",
            "get_job lists the handles of a job.",
        )  # fmt: skip
    return job_id, name


def verify(artifact: Artifact) -> Path:
    """Return the path of an artifact that is unchanged; a dataset's folder may have grown.

    Raises:
        UserError: ``artifact_missing`` or ``artifact_changed``.
    """
    path = Path(artifact.path)
    if path.is_symlink():  # it was published as a file or folder of its own
        raise _changed(artifact)
    if not path.exists():
        raise UserError(
            "artifact_missing", f"{artifact.handle} was at {path}, which no longer exists.",
            "Put it back, or run the job again with reuse=false.",
        )  # fmt: skip
    if artifact.kind == "dataset" and path.is_dir():  # later steps add to it; its manifests are artifacts of their own
        return path
    same_size = not path.is_file() or path.stat().st_size == artifact.size_bytes
    if not same_size or measure(path) != (artifact.size_bytes, artifact.sha256):
        raise _changed(artifact)
    return path


def _changed(artifact: Artifact) -> UserError:
    return UserError(
        "artifact_changed",
        f"{artifact.handle} at {artifact.path} has changed since the job published it.",
        "Give the plain path if the change is meant, or run the job again with reuse=false.",
    )


def is_on_disk(artifact: Artifact) -> bool:
    """Check cheaply that an artifact is still there; a file also by its size."""
    path = Path(artifact.path)
    return path.is_dir() or (path.is_file() and path.stat().st_size == artifact.size_bytes)
