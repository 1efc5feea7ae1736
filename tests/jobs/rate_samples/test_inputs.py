"""Inputs of a rating: the narrator of each take, refusals of wrong manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.rate_samples.inputs import read_inputs


def manifests(folder: Path, speakers: list[str], **take: object) -> tuple[Path, Path]:
    """A takes file with one take and a narrators' manifest with five clips a speaker."""
    (folder / "00.wav").write_bytes(b"RIFF")
    line = {"audio": "00.wav", "text": "Hello there.", "speaker": None, "language": "auto", **take}
    (folder / "takes.jsonl").write_text(json.dumps(line) + "\n")
    rows = [
        {"audio": f"{n}.wav", "text": "words", "speaker": speaker, "language": "German", "duration_s": 5}
        for speaker in speakers
        for n in range(5)
    ]
    (folder / "train_manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "takes.jsonl", folder / "train_manifest.jsonl"


def test_a_take_without_a_speaker_is_compared_with_the_only_narrator_in_that_language(tmp_path: Path) -> None:
    (item,) = read_inputs(*manifests(tmp_path, ["horus"]), 20).items

    assert (item.narrator, item.language) == ("horus", "german")


def test_a_take_is_compared_with_the_narrator_of_its_name(tmp_path: Path) -> None:
    inputs = read_inputs(*manifests(tmp_path, ["anna", "horus"], speaker="horus", language="english"), 20)

    assert list(inputs.clips) == ["horus"]
    assert inputs.items[0].language == "english"


def test_a_take_of_an_unknown_speaker_is_refused_when_there_are_several(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="anna, horus") as caught:
        read_inputs(*manifests(tmp_path, ["anna", "horus"], speaker="x"), 20)

    assert caught.value.code == "narrator_ambiguous"


@pytest.mark.parametrize(("audio", "code"), [("../secret.wav", "path_outside_dataset"), ("gone.wav", "take_missing")])
def test_a_take_whose_audio_is_elsewhere_is_refused(tmp_path: Path, audio: str, code: str) -> None:
    with pytest.raises(UserError) as caught:
        read_inputs(*manifests(tmp_path, ["horus"], audio=audio), 20)

    assert caught.value.code == code


def test_no_takes_are_refused(tmp_path: Path) -> None:
    takes, manifest = manifests(tmp_path, ["horus"])
    takes.write_text("\n")

    with pytest.raises(UserError) as caught:
        read_inputs(takes, manifest, 20)

    assert caught.value.code == "takes_empty"
