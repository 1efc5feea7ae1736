"""The dataset's folder: clips, what is known of each stretch, and the files that people keep.

Every sample of the recording is either in a clip or in a rejection; ``tiled`` sees to it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from jobs.errors import UserError
from jobs.files import write_json, write_text
from jobs.ingest_audiobook.pieces import Piece, Refusal
from jobs.ingest_audiobook.spec import Params
from jobs.ingest_audiobook.stretches import Stretch
from jobs.speech.audio import CLIP_RATE_HZ, Samples, write_clip
from jobs.speech.manifest import Clip, Rejection, Source
from jobs.speech.segments import Span

FADE_S = 0.04
STATE_FOLDER = ".ingest"
JUDGED_LATER = ("quality", "validation_share", "validation_chapters")  # other ones need no other clips
VERSION = 2  # of what is made; another one does not continue an older dataset


class StretchRecord(BaseModel):
    """What came of a stretch, and what the next one needs: all that a continued job reads."""

    index: int
    chapter: int | None
    end_sample: int
    start_24k: int
    end_24k: int
    clips: list[Clip]
    rejections: list[Rejection]
    n_words: int
    cursor: int = 0
    n_lost: int = 0
    n_wait: int = 0


class IngestState:
    """The records of finished stretches under ``<dataset>/.ingest``.

    Args:
        dataset: the dataset's folder.
        fingerprint: of everything that the result depends on.

    Raises:
        UserError: ``dataset_differs`` when the folder was made from other inputs or parameters.
    """

    def __init__(self, dataset: Path, fingerprint: dict[str, object]) -> None:
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

    def finished(self) -> list[StretchRecord]:
        """The records so far, in order, up to the first gap."""
        records: list[StretchRecord] = []
        while (path := self._path(len(records))).is_file():
            records.append(StretchRecord.model_validate_json(path.read_bytes()))
        return records

    def add(self, record: StretchRecord) -> None:
        """Remember a finished stretch; its clips are on the disk by then."""
        write_text(self._path(record.index), record.model_dump_json(exclude_none=True))

    def _path(self, index: int) -> Path:
        return self._folder / f"stretch_{index:05d}.json"


def fingerprint(params: Params) -> dict[str, object]:
    """All that the dataset depends on: contents of the files and parameters, not where they lie."""
    found: dict[str, object] = params.model_dump(exclude={"audio", "text", "segments_jsonl", "out_dir", *JUDGED_LATER})
    found |= {"version": VERSION, "recording": Path(params.audio).name, "audio": _digest(Path(params.audio))}
    for name in ("text", "segments_jsonl"):
        path = getattr(params, name)
        found[name] = _digest(Path(path)) if path else None
    return found


def _digest(path: Path) -> str:
    """SHA-256 of the length and the first and last MiB: enough to tell recordings apart without reading 1 GB."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        digest = hashlib.sha256(str(size).encode() + stream.read(1 << 20))
        stream.seek(max(0, size - (1 << 20)))
        digest.update(stream.read())
    return digest.hexdigest()


def tiled(
    pieces: Sequence[Piece], refused: Sequence[Refusal], rest: Sequence[Refusal], n_samples: int
) -> tuple[list[tuple[int, int, Piece]], list[tuple[int, int, Refusal]]]:
    """Divide the samples of a stretch among its pieces, its refusals, the rest and silence.

    Pieces come first; a refusal gets what no piece covers, ``rest`` (the speech) what neither covers.

    Returns:
        (first, last, piece) and (first, last, refusal), together covering ``0..n_samples`` without overlap.
    """
    owner = np.full(n_samples, -1, np.int32)
    others = list(rest)
    others += sorted(refused, key=lambda refusal: refusal.span.start_s)
    for number, refusal in enumerate(others):
        first, last = _samples(refusal.span, n_samples)
        owner[first:last] = number
    kept: list[tuple[int, int, Piece]] = []
    reached = 0
    for piece in sorted(pieces, key=lambda piece: piece.span.start_s):
        first, last = _samples(piece.span, n_samples)
        first = max(first, reached)  # neighbours share a border, which may round to two samples
        kept.append((first, last, piece))
        owner[first:last] = len(others)
        reached = last
    rejected: list[tuple[int, int, Refusal]] = []
    edges = np.flatnonzero(np.diff(owner)) + 1
    for first, last in itertools.pairwise([0, *edges.tolist(), n_samples]):
        number = int(owner[first]) if last > first else len(others)
        if number < len(others):
            rejected.append((first, last, others[number] if number >= 0 else Refusal(Span(0, 0), "silence")))
    n_covered = sum(last - first for first, last, _ in [*kept, *rejected])
    assert n_covered == n_samples, f"{n_covered} of {n_samples} samples accounted for"
    return kept, rejected


def _samples(span: Span, n_samples: int) -> tuple[int, int]:
    first, last = (min(max(0, round(time * CLIP_RATE_HZ)), n_samples) for time in (span.start_s, span.end_s))
    return first, max(first, last)


def write_stretch_clips(
    dataset: Path, stretch: Stretch, kept: Sequence[tuple[int, int, Piece]], first_number: int, row: Clip, name: str
) -> list[Clip]:
    """Write the clips of a stretch and return their rows.

    Args:
        dataset: folder; clips go to ``clips/NNNNNN.wav``.
        stretch: its audio.
        kept: from ``tiled``.
        first_number: number of the first clip.
        row: what all rows share (speaker, language, split, transcript).
        name: of the recording, for ``source``.
    """
    (dataset / "clips").mkdir(parents=True, exist_ok=True)
    rows: list[Clip] = []
    for number, (first, last, piece) in enumerate(kept, first_number):
        samples = faded(stretch.audio_24k[first:last], piece.span.cut_start, piece.span.cut_end)
        audio = f"clips/{number:06d}.wav"
        write_clip(dataset / audio, samples, CLIP_RATE_HZ)
        spoken = {"spoken": list(piece.spoken)} if piece.spoken is not None else {}
        update = {
            "audio": audio,
            "text": piece.text,
            "duration_s": seconds(last - first),
            "source": source(stretch, first, last, name),
            **spoken,
        }
        rows.append(row.model_copy(update=update))
    for written_row in rows:  # on the disk before the stretch counts as finished
        with (dataset / written_row.audio).open("rb") as stream:
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
