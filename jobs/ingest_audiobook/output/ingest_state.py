"""State of an ingest under ``<dataset>/.ingest``: a record of each finished unit, from which a killed job resumes."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from pydantic import BaseModel

from jobs.atomic_io import write_json, write_text
from jobs.dataset.manifest import Clip, Rejection
from jobs.errors import UserError

STATE_FOLDER = ".ingest"
RECORD = "record.json"


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
    all units before it have theirs. Each step is a rename and can be repeated after a kill.

    Args:
        dataset: the dataset's folder.
        fingerprint: of everything that the result depends on.

    Raises:
        UserError: ``dataset_differs`` when the folder was made from other inputs or parameters.
    """

    def __init__(self, dataset: Path, fingerprint: dict[str, object]) -> None:
        self.dataset = dataset
        self._folder = dataset / STATE_FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        made_from = self._folder / "made_from.json"
        if made_from.is_file():
            known = json.loads(made_from.read_text(encoding="utf-8"))
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

    def finished(self) -> UnitRecords:
        """Return the records of finished units in order, up to the first gap."""
        return UnitRecords(self._folder)

    def add(self, record: UnitRecord) -> None:
        """Save the record of a finished unit, whose clips already have their final names."""
        write_text(_record_path(self._folder, record.index), record.model_dump_json(exclude_none=True))

    def is_staged(self, index: int) -> bool:
        """Return True when a unit is built and waits for the units before it."""
        return (self.staged / f"{index:05d}" / RECORD).is_file()

    def finish_staged(self, index: int, n_clips: int) -> UnitRecord:
        """Move the clips of a staged unit to ``clips/`` with numbers from ``n_clips`` on, and save its record."""
        folder = self.staged / f"{index:05d}"
        record = UnitRecord.model_validate_json((folder / RECORD).read_bytes())
        (self.dataset / "clips").mkdir(exist_ok=True)
        clips = []
        for number, clip in enumerate(record.clips, n_clips):
            audio = f"clips/{number:06d}.wav"
            if (folder / clip.audio).exists():  # else an attempt that was killed here has moved it
                (folder / clip.audio).replace(self.dataset / audio)
            clips.append(clip.model_copy(update={"audio": audio}))
        record = record.model_copy(update={"clips": clips})
        self.add(record)
        shutil.rmtree(folder)
        return record

    def clean(self, *, all_of_it: bool = False) -> None:
        """Remove unfinished work of killed attempts; with ``all_of_it`` the whole folder of staged units."""
        for folder in self.staged.glob("*" if all_of_it else "*.*"):
            shutil.rmtree(folder, ignore_errors=True)
        n_finished = len(self.finished())
        for folder in self.staged.glob("*"):
            if int(folder.name.split(".")[0]) < n_finished:
                shutil.rmtree(folder, ignore_errors=True)
        if all_of_it and self.staged.is_dir():
            self.staged.rmdir()


class UnitRecords(Sequence[UnitRecord]):
    """Records of finished units, read from disk one at a time: those of a long book do not fit into memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __len__(self) -> int:
        """Return the number of records before the first gap."""
        return next(k for k in itertools.count() if not _record_path(self._folder, k).is_file())

    @overload
    def __getitem__(self, index: int) -> UnitRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[UnitRecord]: ...
    def __getitem__(self, index: int | slice) -> UnitRecord | list[UnitRecord]:
        """Read one or some."""
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        path = _record_path(self._folder, index if index >= 0 else len(self) + index)
        if not path.is_file():
            raise IndexError(index)
        return UnitRecord.model_validate_json(path.read_bytes())


class UnitWorkspace:
    """Folder in which one process builds one unit.

    Args:
        staged: ``IngestState.staged``.
        index: of the unit.
    """

    def __init__(self, staged: Path, index: int) -> None:
        self._done = staged / f"{index:05d}"
        self.folder = staged / f"{index:05d}.{os.getpid()}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def finish(self, record: UnitRecord) -> None:
        """Save the record and mark the unit as staged, by a rename."""
        write_text(self.folder / RECORD, record.model_dump_json(exclude_none=True))
        self.folder.replace(self._done)


def _record_path(folder: Path, index: int) -> Path:
    return folder / f"unit_{index:05d}.json"
