"""State of an ingest under ``<dataset>/.ingest``: a record of each finished unit, from which a killed job resumes."""

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from jobs.dataset.manifest import Clip, Rejection
from jobs.errors import UserError
from jobs.files.atomic_io import write_json, write_text
from jobs.files.folders import make_folder, move, remove
from jobs.files.reading import open_regular, read_bytes
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.subtitles import segment_files

STATE_FOLDER = ".ingest"
RECORD = "record.json"
CLIP = re.compile(r"clips/\d{6,12}\.wav")
MAX_RECORD_BYTES = 64 << 20  # of a unit: 15 minutes have 500 clips, 1 MB
VERSION = 4  # of the clips; an ingest of another version does not continue an older dataset
# Parameters that change no clip: places, judging after the cut, and how Whisper computes, so that an ingest that ran
# out of memory can continue with smaller batches.
EXCLUDED = frozenset(
    {"audio", "text", "segments_jsonl", "out_dir", "workers"}
    | {"quality", "validation_share", "validation_chapters", "export"}
    | {"whisper_device", "whisper_compute_type", "whisper_batch_size"}
)


def compute_fingerprint(params: Params, recordings: Sequence[Path], names: Sequence[str]) -> dict[str, object]:
    """Return the parameters and digests of the files' contents; paths do not count."""
    found: dict[str, object] = params.model_dump(exclude=set(EXCLUDED))
    found |= {"version": VERSION, "recording": list(names), "audio": [_digest(path) for path in recordings]}
    for name in ("text", "segments_jsonl"):
        path = getattr(params, name)
        found[name] = _text_digest(params, Path(path), names) if path else None
    return found


def _text_digest(params: Params, path: Path, names: Sequence[str]) -> str | list[str]:
    return [_digest(file) for file in segment_files(params, names)] if path.is_dir() else _digest(path)


def _digest(path: Path) -> str:
    """Hash the length and the first and last MiB: enough to distinguish recordings without reading 1 GB."""
    with open_regular(path) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        digest = hashlib.sha256(str(size).encode() + stream.read(1 << 20))
        stream.seek(max(0, size - (1 << 20)))
        digest.update(stream.read())
    return digest.hexdigest()


class UnitRecord(BaseModel):
    """Outcome of a unit: everything that a resumed job needs of it."""

    index: int
    recording: int = 0
    chapter: int | None = None
    start_24k: int
    end_24k: int
    clips: list[Clip]
    rejections: list[Rejection]
    n_words: int
    is_recording_end: bool = False


class IngestState:
    """Records of finished units, and units that are built and wait for the units before them.

    Each unit is built in a folder of its own, by any process and in any order. Its clips get their final numbers when
    all units before it have theirs. Each step is a rename and can be repeated after a kill. Raises ``UserError``:
    ``dataset_differs`` when the folder was made from other inputs or parameters.
    """

    def __init__(self, dataset: Path, fingerprint: dict[str, object]) -> None:
        self.dataset = dataset
        self._folder = dataset / STATE_FOLDER
        make_folder(self._folder)
        made_from = self._folder / "made_from.json"
        if made_from.is_file():
            known = _read_object(made_from)
            differing = sorted(key for key in fingerprint if known.get(key) != fingerprint[key])
            if differing:
                raise UserError(
                    "dataset_differs",
                    f"{dataset} was made with another {', '.join(differing)}.",
                    "Give another out_dir, or delete that folder to make it afresh.",
                )
        else:
            write_json(made_from, fingerprint)

    @property
    def staged(self) -> Path:
        """Folder in which units are built."""
        return self._folder / "staged"

    def finished(self) -> Iterator[UnitRecord]:
        """Read the records of finished units in order, up to the first gap: those of a long book exceed the memory."""
        for index in range(self._count_finished()):
            path = _record_path(self._folder, index)
            record = _read_record(path)
            if not all(CLIP.fullmatch(clip.audio) for clip in record.clips):
                raise _damaged(path, "it names files in other folders")
            yield record

    def _count_finished(self) -> int:
        return next(index for index in itertools.count() if not _record_path(self._folder, index).is_file())

    def add(self, record: UnitRecord) -> None:
        """Save the record of a finished unit, whose clips already have their final names."""
        write_text(_record_path(self._folder, record.index), record.model_dump_json(exclude_none=True))

    def is_staged(self, index: int) -> bool:
        """Return True when a unit is built and waits for the units before it."""
        return (self.staged / f"{index:05d}" / RECORD).is_file()

    def finish_staged(self, index: int, n_clips: int) -> UnitRecord:
        """Move the clips of a staged unit to ``clips/`` with numbers from ``n_clips`` on, and save its record."""
        folder = self.staged / f"{index:05d}"
        record = _read_record(folder / RECORD)
        if any(Path(clip.audio).name != clip.audio for clip in record.clips):
            raise _damaged(folder / RECORD, "it names files in other folders")
        make_folder(self.dataset / "clips")
        clips = []
        for number, clip in enumerate(record.clips, n_clips):
            audio = f"clips/{number:06d}.wav"
            if (folder / clip.audio).exists():  # else an attempt that was killed here has moved it
                move(folder / clip.audio, self.dataset / audio)
            clips.append(clip.model_copy(update={"audio": audio}))
        record = record.model_copy(update={"clips": clips})
        self.add(record)
        remove(folder)
        return record

    def clean(self, *, all_of_it: bool = False) -> None:
        """Remove unfinished work of killed attempts; with ``all_of_it`` the whole folder of staged units."""
        for folder in self.staged.glob("*" if all_of_it else "*.*"):
            remove(folder)
        n_finished = self._count_finished()
        for folder in self.staged.glob("*"):
            number = folder.name.split(".")[0]
            if number.isdecimal() and int(number) < n_finished:
                remove(folder)
        if all_of_it:
            remove(self.staged)


class UnitWorkspace:
    """Folder in which one process builds one unit, below ``IngestState.staged``."""

    def __init__(self, staged: Path, index: int) -> None:
        self._done = staged / f"{index:05d}"
        self.folder = staged / f"{index:05d}.{os.getpid()}"
        remove(self.folder)
        make_folder(self.folder)

    def finish(self, record: UnitRecord) -> None:
        """Save the record and mark the unit as staged, by a rename."""
        write_text(self.folder / RECORD, record.model_dump_json(exclude_none=True))
        move(self.folder, self._done)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_bytes(path, MAX_RECORD_BYTES))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_record(path: Path) -> UnitRecord:
    try:
        return UnitRecord.model_validate_json(read_bytes(path, MAX_RECORD_BYTES))
    except ValidationError as error:
        raise _damaged(path, str(error)[:200]) from error


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        "dataset_differs",
        f"{path} was changed since it was written: {why}.",
        "Give another out_dir, or delete the dataset's folder to make it afresh.",
    )


def _record_path(folder: Path, index: int) -> Path:
    return folder / f"unit_{index:05d}.json"
