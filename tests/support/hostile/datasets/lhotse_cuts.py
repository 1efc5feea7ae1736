"""Hostile lhotse manifests: they run commands, fetch addresses, lead out of their folder, or grow.

A command or address leaves the file ``RAN`` in the folder above the dataset's.
"""

import gzip
import json
import os
from pathlib import Path
from typing import Any

from tests.support.hostile.datasets.sound_files import RATE_HZ, SOUND, Builder, write_wav

RAN = "ran"


def cut(source: str, kind: str = "file", **fields: Any) -> dict[str, Any]:
    """Return a cut of two seconds."""
    return {
        "id": "one", "start": 0.0, "duration": 2.0, "channel": 0, "type": "MonoCut",
        "supervisions": [{"id": "s", "recording_id": "r", "start": 0, "duration": 2.0, "channel": 0,
                          "text": "Some words.", "language": "english", "speaker": "anna"}],
        "recording": {"id": "r", "sources": [{"type": kind, "channels": [0], "source": source}],
                      "sampling_rate": RATE_HZ, "num_samples": 32_000, "duration": 2.0, "channel_ids": [0]},
        **fields,
    }  # fmt: skip


def write_cuts(folder: Path, *lines: dict[str, Any] | str) -> Path:
    """Write ``cuts.jsonl`` into a dataset's folder and return the folder."""
    dataset = folder / "dataset"
    write_wav(dataset / "a.wav")
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (dataset / "cuts.jsonl").write_text(text, encoding="utf-8")
    return dataset


def lhotse_command_source(folder: Path) -> Path:
    """A shell command as audio."""
    return write_cuts(folder, cut(f"touch '{folder / RAN}'; cat '{folder / 'dataset' / 'a.wav'}'", "command"))


def lhotse_pipe_url_source(folder: Path) -> Path:
    """An address that is a command."""
    return write_cuts(folder, cut(f"pipe:touch '{folder / RAN}'; cat '{folder / 'dataset' / 'a.wav'}'", "url"))


def lhotse_sph_source(folder: Path) -> Path:
    """A SPHERE file, for which lhotse starts a converter found by name; here with a name that is a command."""
    dataset = write_cuts(folder, cut("$(touch ran).sph"))
    write_wav(dataset / "$(touch ran).sph").write_bytes(b"NIST_1A\n   1024\n" + b" " * 1_000)
    return dataset


def lhotse_outside_source(folder: Path) -> Path:
    """An absolute path and one with ``..`` to a sound outside."""
    outside = write_wav(folder / "outside.wav")
    return write_cuts(folder, cut(str(outside)), cut("../outside.wav"))


def lhotse_linked_source(folder: Path) -> Path:
    """A link to a sound outside."""
    write_wav(folder / "outside.wav")
    dataset = write_cuts(folder, cut("link.wav"))
    (dataset / "link.wav").symlink_to("../outside.wav")
    return dataset


def lhotse_pipe_source(folder: Path) -> Path:
    """A named pipe as audio."""
    dataset = write_cuts(folder, cut("pipe.wav"))
    os.mkfifo(dataset / "pipe.wav")
    return dataset


def lhotse_raw_source(folder: Path) -> Path:
    """A file of samples without a header."""
    dataset = write_cuts(folder, cut("a.raw"))
    (dataset / "a.raw").write_bytes(SOUND)
    return dataset


def lhotse_linked_manifest(folder: Path) -> Path:
    """A manifest that is a link to one outside."""
    dataset = write_cuts(folder, cut("a.wav"))
    (dataset / "cuts.jsonl").rename(folder / "elsewhere.jsonl")
    (dataset / "cuts.jsonl").symlink_to("../elsewhere.jsonl")
    return dataset


def of_cut(*lines: dict[str, Any] | str) -> Builder:
    """Return the builder of cuts."""
    return lambda folder: write_cuts(folder, *lines)


def of_gzip(content: bytes) -> Builder:
    """Return the builder of compressed cuts."""

    def build(folder: Path) -> Path:
        (folder / "dataset").mkdir()
        (folder / "dataset" / "cuts.jsonl.gz").write_bytes(content)
        return folder / "dataset"

    return build


def lhotse_bomb_of_one_line(folder: Path) -> Path:
    """200 MB of zeros in 200 KB."""
    return of_gzip(gzip.compress(bytes(200_000_000), 1))(folder)


def lhotse_bomb_of_empty_lines(folder: Path) -> Path:
    """50 million empty lines in 50 KB."""
    return of_gzip(gzip.compress(b"\n" * 50_000_000, 9))(folder)
