"""Fingerprint of everything that a dataset depends on: it decides whether an ingest may continue in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.subtitles import segment_files

VERSION = 4  # of the clips; an ingest of another version does not continue an older dataset
# Parameters that change no clip: places, judging after the cut, and how Whisper computes, so that an ingest that ran
# out of memory can continue with smaller batches.
EXCLUDED = frozenset(
    {"audio", "text", "segments_jsonl", "out_dir", "workers"}
    | {"quality", "validation_share", "validation_chapters", "export"}
    | {"whisper_device", "whisper_compute_type", "whisper_batch_size"}
)


def compute_fingerprint(params: Params, recordings: Sequence[Path], names: Sequence[str]) -> dict[str, object]:
    """Return the parameters and digests of the files' contents; paths do not count.

    Args:
        params: of the job.
        recordings: paths, in order.
        names: of the recordings, relative to their folder.
    """
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
    size = path.stat().st_size
    with path.open("rb") as stream:
        digest = hashlib.sha256(str(size).encode() + stream.read(1 << 20))
        stream.seek(max(0, size - (1 << 20)))
        digest.update(stream.read())
    return digest.hexdigest()
