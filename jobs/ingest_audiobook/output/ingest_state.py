"""State of an ingest under ``<dataset>/.ingest``: a record of each finished unit, from which a killed job resumes."""

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from jobs.dataset.manifest import Clip, RecordingSeconds, Rejection
from jobs.errors import UserError
from jobs.files.atomic_io import write_json, write_text
from jobs.files.folders import make_folder, move, remove
from jobs.files.reading import open_regular, read_bytes
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.subtitles import segment_files
from jobs.ingest_audiobook.text.transcript_rows import Sentence

STATE_FOLDER = ".ingest"
RECORD = "record.json"
CLIP = re.compile(r"clips/\d{6,12}\.wav")
Count = Annotated[int, Field(ge=0, le=10**12)]  # of samples of a book: 500 hours have 4·10¹⁰
MAX_RECORD_BYTES = 64 << 20  # of a unit: 15 minutes have 500 clips, 1 MB
VERSION = 5  # of the clips; an ingest of another version does not continue an older dataset
# Parameters that change no clip: places, judging after the cut, and how Whisper computes, so that an ingest that ran
# out of memory can continue with smaller batches.
EXCLUDED = frozenset(
    {"audio", "text", "segments_jsonl", "transcript_file", "out_dir", "workers"}
    | {"quality", "validation_share", "validation_chapters", "export"}
    | {"whisper_device", "whisper_compute_type", "whisper_batch_size"}
)


# Parameters that choose the text: a transcript that is given back replaces what they have found.
SOURCES = frozenset({"text", "segments_jsonl", "transcript", "whisper_model", "outside_text"})


def compute_fingerprint(params: Params, recordings: Sequence[Path], names: Sequence[str]) -> dict[str, object]:
    """Return the parameters and digests of the files' contents; paths do not count.

    Those of a transcript that is given back have no ``SOURCES``: each unit knows the sentences it was built from.
    """
    found: dict[str, object] = params.model_dump(exclude=set(EXCLUDED))
    found |= {"version": VERSION, "recording": list(names), "audio": [_digest(path) for path in recordings]}
    found["transcript_file"] = params.transcript_file is not None
    if params.transcript_file is not None:
        return {name: value for name, value in found.items() if name not in SOURCES}
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

    index: Count
    recording: Count = 0
    chapter: Count | None = None
    start_24k: Count
    end_24k: Count
    clips: list[Clip]
    rejections: list[Rejection]
    n_words: Count
    is_recording_end: bool = False
    sentences: list[Sentence] = []
    late: list[tuple[RecordingSeconds, Count]] = []
    """Of each chunk whose given segments were late: seconds, and how many segments were moved."""
    given_sha256: str = ""
    """Of the sentences of a transcript file, as they were given."""


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
            is_edit = fingerprint.get("transcript_file") is True
            differing = sorted(
                key
                for key in fingerprint
                if known.get(key) != fingerprint[key] and not (is_edit and key == "transcript_file")
            )
            if differing:
                raise UserError(
                    "dataset_differs",
                    f"{dataset} was made with another {', '.join(differing)}.",
                    "Give another out_dir, or delete that folder to make it afresh.",
                )
            if is_edit:
                write_json(made_from, known | fingerprint)
        else:
            write_json(made_from, fingerprint)

    @property
    def staged(self) -> Path:
        """Folder in which units are built."""
        return self._folder / "staged"

    def finished(self) -> Iterator[UnitRecord]:
        """Read the records of finished units in order, up to the first gap: those of a long book exceed the memory."""
        for index in itertools.count():
            if not self.is_finished(index):
                return
            yield self.read(index)

    def built(self) -> Iterator[UnitRecord]:
        """Read the records of finished and of staged units, in any order."""
        for path in sorted(self._folder.glob("unit_*.json")):
            yield self._read_checked(path)
        for path in sorted(self.staged.glob(f"[0-9]*/{RECORD}")):
            if path.parent.name.isdecimal():
                yield _read_record(path)

    def is_finished(self, index: int) -> bool:
        """Return True when a unit's clips have their names."""
        return _record_path(self._folder, index).is_file()

    def read(self, index: int) -> UnitRecord:
        """Read the record of a finished unit."""
        return self._read_checked(_record_path(self._folder, index))

    def _read_checked(self, path: Path) -> UnitRecord:
        record = _read_record(path)
        if not all(CLIP.fullmatch(clip.audio) for clip in record.clips):
            raise _damaged(path, "it names files in other folders")
        return record

    def next_number(self) -> int:
        """Return the number of the next new clip: no clip has had it."""
        paths = [*self._folder.glob("unit_*.json"), *self._folder.glob("replaced_*.json")]
        numbers = (int(Path(clip.audio).stem) for path in paths for clip in self._read_checked(path).clips)
        return max(numbers, default=-1) + 1

    def set_aside(self, record: UnitRecord) -> None:
        """Have a unit built again; its clips stay until ``drop_replaced``."""
        if not self.is_finished(record.index):
            remove(self.staged / f"{record.index:05d}")
            return
        former = self._replaced(record.index)
        clips = {clip.audio: clip for clip in [*(former.clips if former else ()), *record.clips]}
        merged = record.model_copy(update={"clips": list(clips.values()), "sentences": [], "rejections": []})
        write_text(self._replaced_path(record.index), merged.model_dump_json(exclude_none=True))
        remove(_record_path(self._folder, record.index))

    def _replaced(self, index: int) -> UnitRecord | None:
        path = self._replaced_path(index)
        return self._read_checked(path) if path.is_file() else None

    def _replaced_path(self, index: int) -> Path:
        return self._folder / f"replaced_{index:05d}.json"

    def drop_replaced(self) -> None:
        """Delete clips of units that were built again and that no unit has any more."""
        for path in sorted(self._folder.glob("replaced_*.json")):
            record = self._read_checked(path)
            kept = {clip.audio for clip in self.read(record.index).clips} if self.is_finished(record.index) else None
            if kept is not None:
                for clip in record.clips:
                    if clip.audio not in kept:
                        remove(self.dataset / clip.audio)
                remove(path)

    def add(self, record: UnitRecord) -> None:
        """Save the record of a finished unit, whose clips already have their final names."""
        write_text(_record_path(self._folder, record.index), record.model_dump_json(exclude_none=True))

    def is_staged(self, index: int) -> bool:
        """Return True when a unit is built and waits for the units before it."""
        return (self.staged / f"{index:05d}" / RECORD).is_file()

    def finish_staged(self, index: int, n_clips: int) -> UnitRecord:
        """Move the clips of a staged unit to ``clips/`` with numbers from ``n_clips`` on, and save its record.

        A clip of the same samples as one of the unit's former build keeps its name.
        """
        folder = self.staged / f"{index:05d}"
        record = _read_record(folder / RECORD)
        if any(Path(clip.audio).name != clip.audio for clip in record.clips):
            raise _damaged(folder / RECORD, "it names files in other folders")
        make_folder(self.dataset / "clips")
        clips = []
        former = self._replaced(index)
        names = {_samples(clip): clip.audio for clip in former.clips} if former else {}
        numbers = itertools.count(n_clips)
        for clip in record.clips:
            audio = names.get(_samples(clip)) or f"clips/{next(numbers):06d}.wav"
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
        for folder in self.staged.glob("*"):
            number = folder.name.split(".")[0]
            if number.isdecimal() and self.is_finished(int(number)):
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


def _samples(clip: Clip) -> tuple[float, float] | None:
    return (clip.source.start_s, clip.source.end_s) if clip.source else None


def _record_path(folder: Path, index: int) -> Path:
    return folder / f"unit_{index:05d}.json"
