"""The manifest and rejections as the ingest made them, kept beside those that corrections were applied to.

A dataset's ``train_manifest.jsonl`` is always the one to use: the ingest's, or the corrected one. Its hash shows which
of the two it is, also after a kill between two steps, and after a new ingest.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.dataset.manifest import BEFORE_CORRECTIONS, file_inside
from jobs.errors import UserError
from jobs.files.atomic_io import write_json
from jobs.files.copying import copy_file
from jobs.files.folders import make_folder, move, remove
from jobs.files.json_documents import read_object
from jobs.files.reading import hash_file, resolve_inside

MANIFEST, REJECTIONS = "train_manifest.jsonl", "rejections.jsonl"
_OURS = "applied.json"
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Base:
    """Manifest and rejections as the ingest made them; ``is_apart``: copies, the dataset has corrected ones."""

    manifest: Path
    rejections: Path
    is_apart: bool


def find_base(dataset: Path) -> Base:
    """Return the ingest's files. Raises ``UserError``: ``manifest_missing``, ``path_outside_dataset``."""
    manifest = file_inside(dataset, MANIFEST)
    try:
        is_apart = hash_file(manifest) in _read_ours(dataset)
    except OSError as error:
        raise UserError(
            "manifest_missing", f"Cannot open {manifest}: {error.strerror}.", "Make a dataset with an ingest first."
        ) from error
    folder = dataset / BEFORE_CORRECTIONS if is_apart else dataset
    return Base(file_inside(folder, MANIFEST), file_inside(folder, REJECTIONS), is_apart)


def keep_base(dataset: Path) -> Base:
    """Return the ingest's files where they stay when the dataset's are replaced; copy them there if need be."""
    base = find_base(dataset)
    if base.is_apart:
        return base
    folder = make_folder(dataset / BEFORE_CORRECTIONS)
    kept = Base(folder / MANIFEST, folder / REJECTIONS, True)
    if base.rejections.is_file():
        copy_file(base.rejections, kept.rejections)
    else:
        remove(kept.rejections)
    copy_file(base.manifest, kept.manifest)
    return kept


def replace(dataset: Path, manifest: Path, rejections: Path, n_corrections: int) -> None:
    """Give the dataset a corrected manifest and rejections, files in the folder ``BEFORE_CORRECTIONS``.

    The hash of the new manifest is known as ours before it takes its place, and that of the one before until then.
    """
    current, new = hash_file(dataset / MANIFEST), hash_file(manifest)
    known = [current] if current in _read_ours(dataset) else []
    write_json(dataset / BEFORE_CORRECTIONS / _OURS, {"manifests": [*known, new]})
    move(manifest, dataset / MANIFEST)
    move(rejections, dataset / REJECTIONS)
    write_json(dataset / BEFORE_CORRECTIONS / _OURS, {"manifests": [new], "n_corrections": n_corrections})


def find_recording(audio: Path, name: str) -> Path | None:
    """Return the file of a recording that a dataset's lines name.

    Args:
        audio: the recording itself, or the folder of all of them.
        name: as in ``source.recording``.
    """
    found = resolve_inside(audio, name) if audio.is_dir() else audio if audio.name == Path(name).name else None
    return found if found is not None and found.is_file() else None


def count_applied(dataset: Path) -> int:
    """Return how many lines of the record the dataset's manifest follows from; 0 after an ingest without any."""
    found = _read_note(dataset).get("n_corrections", 0)
    return found if isinstance(found, int) and find_base(dataset).is_apart else 0


def _read_ours(dataset: Path) -> frozenset[str]:
    found = _read_note(dataset).get("manifests", [])
    return frozenset(one for one in found if isinstance(one, str)) if isinstance(found, list) else frozenset()


def _read_note(dataset: Path) -> dict[str, Any]:
    try:
        return read_object(file_inside(dataset / BEFORE_CORRECTIONS, _OURS), _MOST_BYTES)
    except (OSError, ValueError, UserError):
        return {}
