"""Reader of lhotse's cuts, JSONL or gzip of it: only the fields named here, and only audio files in known folders.

lhotse itself is not used: it runs commands, fetches addresses and starts converters that a manifest names.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.audio.clip_io import write_clip
from jobs.dataset.exchange.foreign_clips import MOST_CLIPS, AudioFolders, ForeignClip, leads_out, made_name, unreadable
from jobs.dataset.exchange.recording_part import read_part
from jobs.dataset.manifest import RejectionError
from jobs.dataset.write_budget import WriteBudget
from jobs.errors import UserError
from jobs.files.folders import make_folder
from jobs.files.reading import LONGEST_LINE_BYTES, open_regular, resolve_inside
from jobs.param_types import first_fault

LAYOUT = "lhotse"
GZIP = b"\x1f\x8b"  # RFC 1952; the name may be that of a blob in a cache
MOST_UNPACKED = 200  # times the compressed size: manifests of words and times reach 20
ALWAYS_UNPACKED_BYTES = 10_000_000
MAX_CHANNELS = 64
MAX_SUPERVISIONS = 1_000
LONGEST_CUT_S = 120.0  # ingest_clips keeps clips of at most 60 s
CUTS = ("MonoCut", "MultiCut", "Cut")

Channels = Annotated[list[int], Field(max_length=MAX_CHANNELS)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]


class _Known(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False, coerce_numbers_to_str=True)


class _Source(_Known):
    type: str
    channels: Channels
    source: str


class _Recording(_Known):
    sources: list[_Source] = Field(max_length=MAX_CHANNELS)
    transforms: list[dict[str, object]] | None = Field(None, max_length=100)


class _Supervision(_Known):
    text: str | None = None
    speaker: str | None = None
    language: str | None = None


class _Cut(_Known):
    """A cut of any kind: those that lack a recording, and mixtures of others, are rejected later."""

    id: str
    type: str = "MonoCut"
    start: Seconds = 0.0
    duration: Seconds = 0.0
    channel: int | Channels = 0
    supervisions: list[_Supervision] = Field(default_factory=list, fail_fast=True, max_length=MAX_SUPERVISIONS)
    recording: _Recording | None = None


def read(source: Path, scratch: Path, audio_dir: Path | None) -> Iterator[ForeignClip]:
    """Read the cuts of a folder or file; the sound of each is written to ``scratch``.

    Raises:
        UserError: the list is unreadable; ``limit_reached``: its cuts are far longer together than the recordings.
    """
    manifest = _find_manifest(source)
    budget = WriteBudget()
    folders = AudioFolders.of(source if source.is_dir() else source.parent, audio_dir)
    for number, cut in _read_cuts(manifest):
        said = [each for each in cut.supervisions if each.text]
        path = scratch / made_name(number, cut.id, ".wav")
        sound: Path | RejectionError = path
        if not path.is_file():
            try:
                samples, rate_hz = _load(cut, folders, budget)
            except RejectionError as error:
                sound = error
            else:
                make_folder(path.parent)
                write_clip(path, samples, rate_hz)
        if path.is_file():
            budget.write(path.stat().st_size)
        yield ForeignClip(
            number,
            path.name,
            sound,
            " ".join(each.text for each in said if each.text),
            next((each.speaker for each in said if each.speaker), None),
            next((each.language for each in said if each.language), None),
        )


def _find_manifest(source: Path) -> Path:
    if not source.is_dir():
        return source
    name = min(path.name for path in source.glob("*cuts*.jsonl*"))
    manifest = resolve_inside(source, name)
    if manifest is None:
        raise leads_out(source, name)
    return manifest


def _read_cuts(manifest: Path) -> Iterator[tuple[int, _Cut]]:
    number = 0
    try:
        for number, line in enumerate(_read_lines(manifest), 1):
            if number > MOST_CLIPS:
                raise unreadable(manifest, LAYOUT, f"it has more than {MOST_CLIPS:,} lines")
            if line.strip():
                yield number, _Cut.model_validate_json(line)
    except ValidationError as error:
        raise unreadable(manifest, LAYOUT, f"line {number}: {first_fault(error)}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(manifest, LAYOUT, f"line {number + 1}: {error}") from error


def _read_lines(manifest: Path) -> Iterator[bytes]:
    """Read lines of bounded length, and a file that is compressed up to a bounded size."""
    with open_regular(manifest) as stream:
        is_compressed = stream.peek(len(GZIP)).startswith(GZIP)
        n_left = max(ALWAYS_UNPACKED_BYTES, MOST_UNPACKED * manifest.stat().st_size)
        lines: BinaryIO | io.BufferedIOBase = gzip.GzipFile(fileobj=stream) if is_compressed else stream
        while line := lines.readline(LONGEST_LINE_BYTES + 1):
            n_left -= len(line)
            if len(line) > LONGEST_LINE_BYTES:
                raise UserError(
                    "line_too_long",
                    f"{manifest} has a line of more than {LONGEST_LINE_BYTES:,} bytes.",
                    "Check that this is the right file; a line holds one cut.",
                )
            if is_compressed and n_left < 0:
                raise unreadable(manifest, LAYOUT, f"it grows to more than {MOST_UNPACKED} times its size")
            yield line


def _load(cut: _Cut, folders: AudioFolders, budget: WriteBudget) -> tuple[np.ndarray, int]:
    """Read the samples of a cut, the mean of its channels, and their rate; note the recordings.

    Raises:
        RejectionError: ``source_unsupported``, ``too_long``, and those of ``AudioFolders`` and ``read_part``.
    """
    recording = cut.recording
    if cut.type not in CUTS or recording is None:
        raise RejectionError("source_unsupported", f"a {cut.type[:40]} without a recording of its own")
    if kinds := sorted({source.type[:40] for source in recording.sources} - {"file"}):
        raise RejectionError("source_unsupported", f"its audio is of type {', '.join(kinds)}; only files are read")
    if changes := [str(each.get("name"))[:40] for each in recording.transforms or [] if each.get("name") != "Resample"]:
        raise RejectionError("source_unsupported", f"its audio is to be changed by {', '.join(changes)}")
    if cut.duration > LONGEST_CUT_S:
        raise RejectionError("too_long", f"{cut.duration:.2f} s is over {LONGEST_CUT_S} s")
    wanted = {cut.channel} if isinstance(cut.channel, int) else set(cut.channel)
    parts, rates = [], set()
    for source in recording.sources:
        columns = [place for place, channel in enumerate(source.channels) if channel in wanted]
        if columns:
            path = folders.find(source.source)
            budget.read(path)
            samples, rate_hz = read_part(path, cut.start, cut.duration, columns, len(source.channels))
            parts.append(samples)
            rates.add(rate_hz)
    if len(rates) != 1:
        raise RejectionError("unreadable", f"its channels have {len(rates)} sample rates")
    length = min(len(part) for part in parts)
    return np.concatenate([part[:length] for part in parts], axis=1).mean(axis=1), rates.pop()
