"""Clips cut anew for corrections: from the clip that the ingest made where it holds all of it, else from the recording.

A file is named by the hash of what it is cut from and of its borders, so one that an earlier attempt wrote is right.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, encode_clip, fade_cut_ends, read_clip, write_clip
from jobs.audio.recording import Recording
from jobs.audio.resampling import resample
from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.corrections.base import MANIFEST, find_recording
from jobs.dataset.manifest import CORRECTED_CLIPS, LONGEST_READ_S, RejectionError, Source
from jobs.dataset.write_budget import WriteBudget
from jobs.errors import UserError
from jobs.files.folders import make_folder
from jobs.files.reading import hash_file, open_regular

NEAR_S = 0.001  # borders that differ by less are the same
_HEAD_BYTES = 1 << 20


@dataclass
class ClipCutter:
    """Cutter of one dataset's clips.

    Attributes:
        dataset: folder.
        roots: where clips may lie beside it.
        audio: the recording, or the folder of recordings; None: not known.
        n_cut: files that were written.
    """

    dataset: Path
    roots: AudioRoots
    audio: Path | None = None
    n_cut: int = 0
    _recordings: dict[str, Recording] = field(default_factory=dict)
    _budget: WriteBudget = field(default_factory=WriteBudget)

    def cut(self, clip: str | None, place: Source, wanted: Source) -> tuple[str, float]:
        """Write the audio of a part, unless it is there.

        Args:
            clip: name of the file that the ingest made; None: it made none.
            place: of that clip.
            wanted: place of the part, in the same recording.

        Returns:
            Name of the file from the dataset's folder, and its length in seconds.

        Raises:
            RejectionError: ``recording_missing``, ``audio_missing``, ``audio_unreadable``, ``empty``.
            UserError: ``limit_reached``: far more is cut than the recordings hold.
        """
        is_inside = wanted.start_s >= place.start_s - NEAR_S and wanted.end_s <= place.end_s + NEAR_S
        try:
            return self._cut_clip(clip, place, wanted) if clip and is_inside else self._cut_recording(place, wanted)
        except (UserError, OSError) as error:
            if isinstance(error, UserError) and error.code == "limit_reached":
                raise
            raise RejectionError("audio_unreadable", str(error)) from error

    def _cut_clip(self, clip: str, place: Source, wanted: Source) -> tuple[str, float]:
        path = self.roots.find(self.dataset / MANIFEST, self.dataset, clip)
        if not path.is_file():
            raise RejectionError("audio_missing", f"there is no file {path}")
        self._budget.read(path)
        name = _name(hash_file(path), wanted.start_s - place.start_s, wanted.end_s - place.start_s)
        return self._write(name, place, wanted, lambda: _slice(read_clip(path, CLIP_RATE_HZ), place, wanted))

    def _cut_recording(self, place: Source, wanted: Source) -> tuple[str, float]:
        recording = self._find(place.recording)
        self._budget.read(recording.path)
        name = _name(_hash_head(recording.path), wanted.start_s, wanted.end_s)
        return self._write(name, place, wanted, lambda: _read_part(recording, wanted))

    def _write(self, name: str, place: Source, wanted: Source, read: Callable[[], Samples]) -> tuple[str, float]:
        path = make_folder(self.dataset / CORRECTED_CLIPS) / name
        if not path.is_file():
            samples = read()
            if not len(samples):
                raise RejectionError("empty", f"there is no audio from {wanted.start_s:.2f} s to {wanted.end_s:.2f} s")
            is_moved = abs(wanted.start_s - place.start_s) > NEAR_S, abs(wanted.end_s - place.end_s) > NEAR_S
            write_clip(path, fade_cut_ends(samples, *is_moved), CLIP_RATE_HZ)
            self.n_cut += 1
            self._budget.write(path.stat().st_size)
        return f"{CORRECTED_CLIPS}/{name}", round(len(read_clip(path, CLIP_RATE_HZ)) / CLIP_RATE_HZ, 6)

    def _find(self, name: str) -> Recording:
        if name not in self._recordings:
            path = find_recording(self.audio, name) if self.audio is not None else None
            if path is None:
                raise RejectionError("recording_missing", f"the recording {name!r} was not given; give it with audio")
            self._recordings[name] = Recording(path)
        return self._recordings[name]


def cut_excerpt(request: dict[str, Any]) -> str:
    """Return a part of a recording as WAV in base64; for a child process.

    Args:
        request: ``path`` of the recording, ``start_s`` and ``end_s``.
    """
    place = Source(recording="", start_s=request["start_s"], end_s=request["end_s"])
    samples = _read_part(Recording(Path(request["path"])), place)
    return base64.b64encode(encode_clip(samples, CLIP_RATE_HZ)).decode()


def _name(origin: str, start_s: float, end_s: float) -> str:
    named = f"{origin} {start_s:.4f} {end_s:.4f}"
    return f"{hashlib.sha256(named.encode()).hexdigest()[:20]}.wav"


def _hash_head(path: Path) -> str:
    """Hash the size and the first MiB, enough to distinguish recordings."""
    with open_regular(path) as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        return hashlib.sha256(str(size).encode() + stream.read(_HEAD_BYTES)).hexdigest()


def _slice(samples: Samples, place: Source, wanted: Source) -> Samples:
    first = round((wanted.start_s - place.start_s) * CLIP_RATE_HZ)
    last = round((wanted.end_s - place.start_s) * CLIP_RATE_HZ)
    return samples[max(0, first) : max(0, last)]


def _read_part(recording: Recording, wanted: Source) -> Samples:
    if wanted.end_s - wanted.start_s > LONGEST_READ_S:
        raise RejectionError("too_long", f"at most {LONGEST_READ_S:.0f} s are cut")
    rate = recording.info.sample_rate_hz
    blocks = [one.samples for one in recording.blocks(round(wanted.start_s * rate), round(wanted.end_s * rate))]
    if not blocks:
        return np.zeros(0, dtype=np.float32)
    return resample(np.concatenate(blocks), rate, CLIP_RATE_HZ)
