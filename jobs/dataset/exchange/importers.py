"""Clips taken in from LJSpeech, Hugging Face and lhotse: each becomes a line with a file, a text and a speaker."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.audio.clip_io import write_clip
from jobs.dataset.quality.thresholds import Layout
from jobs.errors import UserError
from jobs.files.atomic_io import write_bytes
from jobs.files.folders import make_folder

_TEXT = ("text", "normalized_text", "transcription", "sentence")
_SPEAKER = ("speaker", "speaker_id")
_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")


@dataclass(frozen=True)
class Taken:
    """A clip of another tool's dataset; ``number`` is its line or row, 1 is the first."""

    number: int
    path: Path
    text: str
    speaker: str | None = None
    language: str | None = None


def take(layout: Layout, source: Path, scratch: Path) -> Iterator[Taken]:
    """Read another tool's dataset; audio without its own file (bytes, parts of recordings) gets one in ``scratch``.

    Raises ``UserError``: ``dataset_unreadable``, with what the library says.
    """
    reader = {"ljspeech": _ljspeech, "huggingface": _huggingface, "lhotse": _lhotse}[layout]
    try:
        yield from reader(source, scratch)
    except UserError:
        raise
    except Exception as error:  # the libraries raise what they like
        raise UserError(
            "dataset_unreadable",
            f"{source} cannot be read as a {layout} dataset: {type(error).__name__}: {error}.",
            "Write it again with that library, or give a JSONL of audio_file and text.",
        ) from error


def _ljspeech(source: Path, scratch: Path) -> Iterator[Taken]:
    """``id|text|normalised text``: the text as it is written, else the normalised one."""
    metadata = source / "metadata.csv" if source.is_dir() else source
    wavs = metadata.parent / "wavs"
    with metadata.open(encoding="utf-8-sig", newline="") as stream:
        for number, fields in enumerate(csv.reader(stream, delimiter="|", quoting=csv.QUOTE_NONE), 1):
            if not fields:
                continue
            name = fields[0].strip()
            candidates = [wavs / name, *(wavs / f"{name}{suffix}" for suffix in _SUFFIXES)]
            path = next((each for each in candidates if each.suffix and each.is_file()), wavs / f"{name}.wav")
            text = next((field.strip() for field in fields[1:3] if field.strip()), "")
            yield Taken(number, path, text)


def _huggingface(source: Path, scratch: Path) -> Iterator[Taken]:
    import datasets

    loaded = datasets.load_from_disk(str(source))
    parts = list(loaded.values()) if isinstance(loaded, datasets.DatasetDict) else [loaded]
    number = 0
    for part in parts:
        audio = next((name for name, kind in part.features.items() if isinstance(kind, datasets.Audio)), None)
        if audio is not None:
            part = part.cast_column(audio, datasets.Audio(decode=False))  # decoding needs torchcodec and FFmpeg
        for row in part:
            number += 1
            sound: Any = row[audio] if audio is not None else {"path": row.get("audio_file") or row.get("path")}
            yield Taken(
                number,
                _file_of(sound, source, scratch, number),
                _first(row, _TEXT) or "",
                _first(row, _SPEAKER),
                _first(row, ("language",)),
            )


def _file_of(sound: dict[str, Any], source: Path, scratch: Path, number: int) -> Path:
    name = sound.get("path") or ""
    if not sound.get("bytes"):
        return source / name
    path = scratch / f"{number:06d}-{Path(name).stem or 'clip'}{Path(name).suffix or '.wav'}"
    _write_bytes(path, sound["bytes"])
    return path


def _lhotse(source: Path, scratch: Path) -> Iterator[Taken]:
    from lhotse import CutSet

    manifest = next(iter(sorted(source.glob("*cuts*.jsonl*")))) if source.is_dir() else source
    for number, cut in enumerate(CutSet.from_jsonl_lazy(manifest), 1):
        said = [each for each in cut.supervisions if each.text]
        path = scratch / f"{number:06d}-{_plain(cut.id)}.wav"
        if not path.is_file():
            for recording in cut.recordings if hasattr(cut, "recordings") else [cut.recording]:
                for part in recording.sources:
                    if part.type == "file" and not Path(part.source).is_absolute():
                        part.source = str(manifest.parent / part.source)
            make_folder(path.parent)
            write_clip(path, cut.load_audio().mean(axis=0), int(cut.sampling_rate))
        yield Taken(
            number,
            path,
            " ".join(each.text for each in said),
            next((each.speaker for each in said if each.speaker), None),
            next((each.language for each in said if each.language), None),
        )


def _first(row: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((str(row[name]) for name in names if row.get(name) not in (None, "")), None)


def _plain(name: str) -> str:
    return "".join(character if character.isalnum() or character in "-_" else "_" for character in name)[-80:]


def _write_bytes(path: Path, content: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(content):
        return
    make_folder(path.parent)
    write_bytes(path, content, sync=False)
