"""The dataset's folder: clips, what is known of each stretch, and the files that people keep.

Every sample of the recording is either in a clip or in a rejection; ``tiling`` sees to it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from pydantic import BaseModel

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.audio.recording import Samples
from jobs.dataset.manifest import Clip, Rejection, Source
from jobs.errors import UserError
from jobs.files import write_json, write_text
from jobs.ingest_audiobook.cut.clip_candidates import Piece, Refusal
from jobs.ingest_audiobook.input.noise_floor import Pauses
from jobs.ingest_audiobook.input.speech_chunks import Stretch
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.subtitles import segment_files

FADE_S = 0.04
STATE_FOLDER = ".ingest"
RECORD = "record.json"
JUDGED_LATER = ("quality", "validation_share", "validation_chapters", "export")  # other ones need no other clips
HOW_WHISPER_COMPUTES = ("whisper_device", "whisper_compute_type", "whisper_batch_size")
VERSION = 4  # of what is made; another one does not continue an older dataset


class UnitRecord(BaseModel):
    """What came of a unit: all that a continued job reads."""

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
    """The records of finished units under ``<dataset>/.ingest``, and those that wait for their turn.

    A unit is made in a folder of its own, whoever makes it and in whatever order, and takes its place (its clips their
    numbers) when all before it have. Each step is a rename, and can be done again after a kill.

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
        """Where units are made."""
        return self._folder / "staged"

    def finished(self) -> Records:
        """The records so far, in order, up to the first gap."""
        return Records(self._folder)

    def add(self, record: UnitRecord) -> None:
        """Remember a finished unit; its clips are on the disk and have their names by then."""
        write_text(_record_path(self._folder, record.index), record.model_dump_json(exclude_none=True))

    def is_staged(self, index: int) -> bool:
        """True when a unit is made and waits for its turn."""
        return (self.staged / f"{index:05d}" / RECORD).is_file()

    def take_over(self, index: int, n_clips: int) -> UnitRecord:
        """Give the clips of a unit that was made their numbers, from ``n_clips`` on, and remember it."""
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
        """Remove what attempts that were killed left unfinished; at the end the folder too."""
        for folder in self.staged.glob("*" if all_of_it else "*.*"):
            shutil.rmtree(folder, ignore_errors=True)
        n_finished = len(self.finished())
        for folder in self.staged.glob("*"):
            if int(folder.name.split(".")[0]) < n_finished:
                shutil.rmtree(folder, ignore_errors=True)
        if all_of_it and self.staged.is_dir():
            self.staged.rmdir()


class Records(Sequence[UnitRecord]):
    """The finished units, read from the disk one at a time: those of a long book do not fit into memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __len__(self) -> int:
        """How many there are without a gap."""
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


class Workbench:
    """The folder in which one process makes one unit.

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
        """Put the unit where it waits for its turn."""
        write_text(self.folder / RECORD, record.model_dump_json(exclude_none=True))
        self.folder.replace(self._done)


def _record_path(folder: Path, index: int) -> Path:
    return folder / f"unit_{index:05d}.json"


def fingerprint(params: Params, recordings: Sequence[Path], names: Sequence[str]) -> dict[str, object]:
    """All that the dataset depends on: contents of the files and parameters, not where they lie.

    Not how Whisper computes: an ingest that ran out of memory goes on in smaller batches.
    """
    found: dict[str, object] = params.model_dump(
        exclude={"audio", "text", "segments_jsonl", "out_dir", "workers", *HOW_WHISPER_COMPUTES, *JUDGED_LATER}
    )
    found |= {"version": VERSION, "recording": list(names), "audio": [_digest(path) for path in recordings]}
    for name in ("text", "segments_jsonl"):
        path = getattr(params, name)
        found[name] = _text_digest(params, Path(path), names) if path else None
    return found


def _text_digest(params: Params, path: Path, names: Sequence[str]) -> str | list[str]:
    return [_digest(file) for file in segment_files(params, names)] if path.is_dir() else _digest(path)


def _digest(path: Path) -> str:
    """SHA-256 of the length and the first and last MiB: enough to tell recordings apart without reading 1 GB."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        digest = hashlib.sha256(str(size).encode() + stream.read(1 << 20))
        stream.seek(max(0, size - (1 << 20)))
        digest.update(stream.read())
    return digest.hexdigest()


def write_stretch_clips(
    folder: Path, stretch: Stretch, kept: Sequence[tuple[int, int, Piece]], first_number: int, row: Clip, name: str
) -> list[Clip]:
    """Write the clips of a stretch and return their rows.

    Args:
        folder: of the unit; clips go to ``NNNNNN.wav``.
        stretch: its audio.
        kept: from ``tiled``.
        first_number: number of the first clip, in the unit.
        row: what all rows share (speaker, language, split, transcript).
        name: of the recording, for ``source``.
    """
    pauses = Pauses(stretch)
    rows: list[Clip] = []
    for number, (first, last, piece) in enumerate(kept, first_number):
        samples = faded(stretch.audio_24k[first:last], piece.span.cut_start, piece.span.cut_end)
        audio = f"{number:06d}.wav"
        write_clip(folder / audio, samples, CLIP_RATE_HZ)
        spoken = {"spoken": list(piece.spoken)} if piece.spoken is not None else {}
        update = {
            "audio": audio,
            "text": piece.text,
            "duration_s": seconds(last - first),
            "source": source(stretch, first, last, name),
            "quality": row.quality | pauses.quality(first, last),
            **spoken,
        }
        rows.append(row.model_copy(update=update))
    for written_row in rows:  # on the disk before the unit counts as finished
        with (folder / written_row.audio).open("rb") as stream:
            os.fsync(stream.fileno())
    return rows


def seconds(n_samples: int) -> float:
    """Seconds of samples at 24 kHz, exact enough to give the sample back when multiplied and rounded."""
    return round(n_samples / CLIP_RATE_HZ, 6)


def source(stretch: Stretch, first: int, last: int, name: str) -> Source:
    """Where samples ``first:last`` of a stretch lie in the recording."""
    start, end = stretch.start_24k + first, stretch.start_24k + last
    return Source(recording=name, chapter=stretch.chapter, start_s=seconds(start), end_s=seconds(end))


def rejections(stretch: Stretch, rejected: Sequence[tuple[int, int, Refusal]], name: str) -> list[Rejection]:
    """Rows of ``rejections.jsonl``."""
    return [
        Rejection(
            source=source(stretch, first, last, name), reason=refusal.reason, detail=refusal.detail, text=refusal.text
        )
        for first, last, refusal in rejected
    ]


def faded(samples: Samples, at_start: bool, at_end: bool) -> Samples:
    """Fade 40 ms in or out where a clip is cut in speech, so that it does not click."""
    samples = samples.copy()
    n_fade = min(int(FADE_S * CLIP_RATE_HZ), len(samples))
    ramp = np.linspace(0.0, 1.0, n_fade, dtype=np.float32)
    if at_start:
        samples[:n_fade] *= ramp
    if at_end and n_fade:
        samples[-n_fade:] *= ramp[::-1]
    return samples
