"""Hostile LJSpeech folders: their ids and links lead outside, and lines have no end."""

import os
from pathlib import Path

from tests.support.hostile.datasets.sound_files import Builder, write_wav


def ljspeech(*lines: str) -> Builder:
    """Return the builder of an LJSpeech dataset with one clip ``a`` and a sound outside."""

    def build(folder: Path) -> Path:
        write_wav(folder / "outside.wav")
        write_wav(folder / "dataset" / "wavs" / "a.wav")
        text = "".join(line.replace("{folder}", str(folder)) + "\n" for line in lines)
        (folder / "dataset" / "metadata.csv").write_text(text, encoding="utf-8")
        return folder / "dataset"

    return build


ljspeech_outside_ids = ljspeech("{folder}/outside|One.|One.", "../../outside|Two.|Two.", "../../outside.wav|Three.|T.")


def ljspeech_linked_sound(folder: Path) -> Path:
    """A clip that is a link to a sound outside."""
    dataset = ljspeech("b|Some words.|Some words.")(folder)
    (dataset / "wavs" / "b.wav").symlink_to(folder / "outside.wav")
    return dataset


def ljspeech_linked_folder(folder: Path) -> Path:
    """A folder ``wavs`` that is a link to one outside."""
    dataset = ljspeech("a|Some words.|Some words.")(folder)
    (dataset / "wavs").rename(folder / "elsewhere")
    (dataset / "wavs").symlink_to("../elsewhere")
    return dataset


def ljspeech_sparse(folder: Path) -> Path:
    """A ``metadata.csv`` of 3 GB that takes no space."""
    dataset = ljspeech("a|Some words.|Some words.")(folder)
    with (dataset / "metadata.csv").open("ab") as stream:
        stream.truncate(3_000_000_000)
    return dataset


def ljspeech_pipe(folder: Path) -> Path:
    """A clip that is a named pipe."""
    dataset = ljspeech("b|Some words.|Some words.")(folder)
    os.mkfifo(dataset / "wavs" / "b.wav")
    return dataset
