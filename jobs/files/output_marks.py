"""Marks of the files that jobs have made in a folder, so that nothing of anybody else's is replaced. stdlib only.

A folder's ``.tts-train/`` holds a JSON record for each kind of work that writes there: which job, the names that it may
write, and, when it has ended well, what it made with a hash of each. A file is ours when a record names it with this
hash, or when a job that has not ended well may have written it.
"""

import fnmatch
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.files.atomic_io import write_json
from jobs.files.folders import make_folder

RECORDS = ".tts-train"
MOST_RECORD_BYTES = 1_000_000
MOST_HASHED_BYTES = 1_000_000_000
# Changed beside us by people and by libraries that only look.
_IGNORED = re.compile(r"\.tts-train|human_ratings\.jsonl|.*\.db(-.*)?|\..*\.[0-9a-f]{16}\.tmp", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Names that a job may write in one folder.

    Attributes:
        folder: absolute.
        names: names of files and folders in it, as patterns with ``*``.
        record: name of the record, without suffix; one per kind of work and output.
    """

    folder: Path
    names: tuple[str, ...]
    record: str

    def existing(self) -> list[str]:
        """Return the names in the folder that the job may write and that are there, sorted."""
        try:
            found = os.listdir(self.folder)  # noqa: PTH208 (names)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in found if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.names))

    def foreign(self) -> list[str]:
        """Return those of ``existing`` that we did not make, or that were changed since."""
        names = self.existing()
        if not names or _is_inside_ours(self.folder):
            return []
        records = list(_read_records(self.folder))
        return [name for name in names if not _is_ours(self.folder / name, records)]

    def claim(self, job_id: str) -> None:
        """Record that a job is about to write here; before the first write, after ``foreign`` was empty."""
        make_folder(self.folder / RECORDS)
        self._write({"job": job_id, "names": list(self.names), "made": None})

    def seal(self, job_id: str) -> None:
        """Record what a job that has ended well has made."""
        made = {name: compute_hash(self.folder / name) for name in self.existing()}
        self._write({"job": job_id, "names": list(self.names), "made": made})

    def _write(self, content: dict[str, Any]) -> None:
        write_json(self.folder / RECORDS / f"{self.record}.json", content)


def compute_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content, or of the names and sizes of a folder's files."""
    digest = hashlib.sha256()
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode):
        for line in sorted(_list_files(path)):
            digest.update(line.encode(errors="surrogateescape"))
    elif stat.S_ISREG(found.st_mode) and not _IGNORED.fullmatch(path.name):
        with path.open("rb") as stream:
            if found.st_size > MOST_HASHED_BYTES:
                digest.update(f"{found.st_size}\n".encode() + stream.read(1 << 20))
            else:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def _list_files(folder: Path) -> Iterator[str]:
    for inner, _, names in os.walk(folder):
        if Path(inner).name == RECORDS:
            continue
        for name in names:
            if not _IGNORED.fullmatch(name):
                path = Path(inner, name)
                yield f"{path.relative_to(folder)}\0{path.lstat().st_size}\n"


def _is_ours(path: Path, records: Sequence[dict[str, Any]]) -> bool:
    if path.is_symlink():
        return False
    hashed: str | None = None
    for record in records:
        made = record.get("made")
        if made is None:
            if any(fnmatch.fnmatchcase(path.name, str(pattern)) for pattern in record.get("names") or ()):
                return True
        elif path.name in made:
            hashed = hashed or compute_hash(path)
            if made[path.name] == hashed:
                return True
    return False


def _is_inside_ours(folder: Path) -> bool:
    """True in a folder that a job still writes, such as the trial of a search."""
    for parent in folder.parents:
        name = folder.relative_to(parent).parts[0]
        for record in _read_records(parent):
            if record.get("made") is None and any(
                fnmatch.fnmatchcase(name, str(pattern)) for pattern in record.get("names") or ()
            ):
                return True
    return False


def _read_records(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(Path(folder, RECORDS).glob("*.json")):
        try:
            if path.is_symlink() or path.stat().st_size > MOST_RECORD_BYTES:
                continue
            record = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("made"), dict | None):
            yield record
