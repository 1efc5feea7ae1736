"""Marks of the files that jobs have made in a folder, so that nothing of anybody else's is replaced. stdlib only.

A folder's ``.tts-train/`` holds a JSON record for each kind of work that writes there: which job, the names that it may
write, and, when it has ended, what it made with a hash of each: its worker notes that, or, when it was killed, the
process that finds it so. A file is ours when a record names it with this hash, or when a job that has not ended may
have written it. A folder that jobs continue, such as the checkpoints of a training, is ours by its name alone, so that
a person's note in it stops no job.

Anybody can write such a record, so one counts only if its job is known to have written here: the caller says which are.
Where no process looked for a while, as when the machine stopped, what has changed since the last sign of the job, by
the time that no program can set (``st_ctime``), is a person's.
"""

import fnmatch
import hashlib
import math
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.atomic_io import name_to_restore, write_json
from jobs.files.folders import make_folder
from jobs.files.json_documents import parse_json
from jobs.files.own_files import walk_files
from jobs.files.reading import read_bytes

RECORDS = ".tts-train"
MOST_RECORDS, MOST_PATTERNS = 256, 64
LONGEST_PATTERN = 1000  # four letters for each of a name; compiling takes quadratic time
MOST_RECORD_BYTES, MOST_FOLDER_BYTES = 2_000_000, 4_000_000  # of a record, and of all that are read in a folder
MOST_HASHED_BYTES = 1_000_000_000
SLACK_S = 10.0
"""Between the last write of a job and the time that is noted as its end; clocks of two machines."""
HUMAN_RATINGS = "human_ratings.jsonl"
"""Beside takes.jsonl: what people said of them; nothing can make it again."""
# Changed beside us by people, by libraries that only look, and by file managers.
_IGNORED = re.compile(
    rf"\.tts-train|{re.escape(HUMAN_RATINGS)}|optuna_study\.db(-.*)?|\..*\.[0-9a-f]{{16}}\.tts-train-(new|former)"
    r"|\.DS_Store|\._.*|Thumbs\.db|desktop\.ini",
    re.DOTALL,
)

IsKnown = Callable[[str, Path], float | None]
"""Unix time until which a job, by its id, may have written in a folder; infinite: it goes on. None: it did not."""


@dataclass(frozen=True)
class Record:
    """One record of a folder.

    Attributes:
        job: id of the job.
        names: patterns of what it may write.
        made: names and hashes of what it has made, empty for a folder that jobs continue; None: it has not ended.
    """

    job: str
    names: tuple[str, ...]
    made: dict[str, str] | None

    def may_write(self, name: str) -> bool:
        """True for a name that the job may have written and not finished."""
        return self.made is None and _matches(name, self.names)


@dataclass(frozen=True)
class Place:
    """Names that a job may write in one folder.

    Attributes:
        folder: absolute.
        names: names of files and folders in it, as patterns with ``*``; one that ends in ``/`` is of folders that
            later jobs continue.
        record: name of the record, without suffix; one per kind of work and output.
        given: names that the job reads: what is edited and given back may be replaced.
    """

    folder: Path
    names: tuple[str, ...]
    record: str
    given: frozenset[str] = frozenset()

    def existing(self) -> list[str]:
        """Return the names in the folder that the job may write and that are there, sorted.

        A folder that was moved away, and that the next writer gives its name back, counts as there.
        """
        return sorted(name for name in self._find() if _matches(name, self.names))

    def _find(self) -> dict[str, Path]:
        """Map the names in the folder to what has them, or is about to get them back."""
        try:
            entries = os.listdir(self.folder)  # noqa: PTH208 (names)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        restored = {name: self.folder / entry for entry in entries if (name := name_to_restore(entry)) is not None}
        return restored | {entry: self.folder / entry for entry in entries}

    def foreign(self, is_known: IsKnown) -> list[str]:
        """Return those of ``existing`` that known jobs did not make, or that were changed since."""
        names, found = self.existing(), self._find()
        if not names or _is_inside_ours(self.folder, is_known):
            return []
        records = [
            (record, until)
            for record in read_records(self.folder)
            if (until := is_known(record.job, self.folder)) is not None
        ]
        return [
            name
            for name in names
            if not self._is_ours(name, found[name], records) and (name not in self.given or found[name].is_symlink())
        ]

    def jobs(self) -> set[str]:
        """Return the ids of all jobs that records name here and in the folders above, known or not."""
        return {record.job for folder in (self.folder, *self.folder.parents) for record in read_records(folder)}

    def claim(self, job_id: str) -> None:
        """Record that a job is about to write here; before the first write, after ``foreign`` was empty."""
        self._write({"job": job_id, "names": list(self.names), "made": None})

    def seal(self, job_id: str, until: float = math.inf) -> None:
        """Record what a job that has ended, well or not, has made; after ``claim``.

        Args:
            until: Unix time of the last sign of the job; what has changed later is not its own.
        """
        made = {
            name: "" if self._is_continued(name, path) else compute_hash(path)
            for name, path in self._find().items()
            if _matches(name, self.names) and self._is_of_time(name, path, until)
        }
        self._write({"job": job_id, "names": list(self.names), "made": made})

    def _is_continued(self, name: str, path: Path) -> bool:
        continued = [pattern for pattern in self.names if pattern.endswith("/")]
        return path.is_dir() and not path.is_symlink() and _matches(name, continued)

    def _is_of_time(self, name: str, path: Path, until: float) -> bool:
        return until == math.inf or self._is_continued(name, path) or last_change(path) <= until + SLACK_S

    def _is_ours(self, name: str, path: Path, records: Sequence[tuple[Record, float]]) -> bool:
        if path.is_symlink():
            return False
        until = max((until for record, until in records if record.may_write(name)), default=None)
        if until is not None and self._is_of_time(name, path, until):
            return True
        hashes = {record.made[name] for record, _ in records if record.made is not None and name in record.made}
        return bool(hashes) and (self._is_continued(name, path) or compute_hash(path) in hashes)

    @property
    def path(self) -> Path:
        """File of the record."""
        return self.folder / RECORDS / f"{self.record}.json"

    def _write(self, content: dict[str, Any]) -> None:
        make_folder(self.path.parent)
        write_json(self.path, content)


def last_change(path: Path) -> float:
    """Return when a file, or what changed last in a folder, was written, renamed, linked or copied here: Unix time.

    Times of change are compared because moves, copies and archives keep the time of the last write.
    """
    found = path.lstat()
    files = walk_files(path) if stat.S_ISDIR(found.st_mode) else []
    inner = (file.lstat().st_ctime for file in files if not _IGNORED.fullmatch(file.name))
    return max([found.st_ctime, *inner])


def compute_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content, or of names, sizes and change times of a folder's files."""
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


def read_records(folder: Path) -> Iterator[Record]:
    """Read the records of a folder within the limits of this module; what is no record is passed over."""
    records = folder / RECORDS
    try:
        names = [] if records.is_symlink() else sorted(os.listdir(records))  # noqa: PTH208 (names)
    except OSError:
        return
    left = MOST_FOLDER_BYTES
    for name in names[:MOST_RECORDS]:
        with suppress(UserError, OSError):
            read = read_bytes(records / name, min(MOST_RECORD_BYTES, left))
            left -= len(read)
            if (record := _parse(read)) is not None:
                yield record


def seal_for(job_id: str, path: Path, until: float = math.inf) -> None:
    """Record what a job whose worker was killed has made; a record of another job, or an ended one, stays as it is.

    Args:
        path: file of the record.
        until: as of ``Place.seal``.

    Raises:
        UserError: ``path_is_link``.
        OSError: the disk is full, a file cannot be read, and the like.
    """
    record = _parse(read_bytes(path, MOST_RECORD_BYTES)) if path.parent.name == RECORDS else None
    if record is not None and record.job == job_id and record.made is None:
        Place(path.parent.parent, record.names, path.stem).seal(job_id, until)


def _parse(read: bytes) -> Record | None:
    try:
        content = parse_json(read)
    except (UserError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    job, names, made = content.get("job"), content.get("names"), content.get("made")
    if not isinstance(job, str) or not isinstance(names, list) or len(names) > MOST_PATTERNS:
        return None
    if not all(isinstance(name, str) and len(name) <= LONGEST_PATTERN for name in names):
        return None
    if made is not None and not (isinstance(made, dict) and all(isinstance(value, str) for value in made.values())):
        return None
    return Record(job, tuple(names), made)


def _list_files(folder: Path) -> Iterator[str]:
    for path in walk_files(folder):
        if path.parent.name != RECORDS and not _IGNORED.fullmatch(path.name):
            found = path.lstat()
            yield f"{path.relative_to(folder)}\0{found.st_size}\0{found.st_mtime_ns}\n"


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern.removesuffix("/")) for pattern in patterns)


def _is_inside_ours(folder: Path, is_known: IsKnown) -> bool:
    """True in a folder that a job still writes, such as the trial of a search."""
    return any(
        is_known(record.job, parent) == math.inf and record.may_write(folder.relative_to(parent).parts[0])
        for parent in folder.parents
        for record in read_records(parent)
    )
