"""Every line of the coded manifest is checked before anything heavy is loaded."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.training.clips import Dataset, read_dataset

Rows = list[dict[str, Any]]
WriteManifest = Callable[[Rows], Path]


def read(manifest: Path, speaker: str | None = None) -> Dataset:
    return read_dataset(manifest, speaker=speaker, languages=["english", "german"], codebook_size=64)


def test_rows_become_clips_by_split(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    manifest = write_manifest(coded_rows)

    dataset = read(manifest)

    assert [clip.line for clip in dataset.train] == [1, 2, 3, 4]
    assert [clip.text for clip in dataset.validation] == ["jumps over the lazy dog"]
    assert [clip.language for clip in dataset.train] == ["english", "auto", "english", "english"]
    assert dataset.train[2].codes.tolist() == coded_rows[2]["audio_codes"]
    assert dataset.references == [manifest.parent / "reference.wav"]
    assert dataset.speaker == "slt"


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"language": "Klingon"}, "language_unknown", "'Klingon'"),
        ({"audio_codes": None}, "codes_missing", "no audio_codes"),
        ({"audio_codes": []}, "codes_missing", "no audio_codes"),
        ({"audio_codes": [[0] * 15, [0] * 15]}, "codes_invalid", r"frames of \[15\] codes"),
        ({"audio_codes": [[64] + [0] * 15]}, "codes_invalid", "codes from 0 to 64"),
        ({"audio_codes": [[-1] + [0] * 15]}, "codes_invalid", "codes from -1 to 0"),
        ({"text": " \n"}, "text_empty", "no text"),
        ({"ref_audio": "../../elsewhere.wav"}, "path_outside_dataset", "elsewhere"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(
    change: dict[str, Any], code: str, told: str, coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    rows = copy.deepcopy(coded_rows)
    rows[2].update(change)
    manifest = write_manifest(rows)

    with pytest.raises(UserError, match=told) as refused:
        read(manifest)

    assert refused.value.code == code
    assert "line 3" in refused.value.message or code == "path_outside_dataset"


def test_lines_are_counted_with_blank_ones(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    manifest = write_manifest([*coded_rows[:2], {**coded_rows[2], "language": "elvish"}])
    manifest.write_text(manifest.read_text().replace("\n", "\n\n"))

    with pytest.raises(UserError, match="line 5"):
        read(manifest)


def test_a_manifest_without_training_rows_is_refused(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    manifest = write_manifest([{**row, "split": "validation"} for row in coded_rows])

    with pytest.raises(UserError) as refused:
        read(manifest)

    assert refused.value.code == "train_split_empty"


def test_of_several_speakers_one_must_be_named(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    manifest = write_manifest([*coded_rows, {**coded_rows[0], "speaker": "AWB"}])

    with pytest.raises(UserError, match="awb, slt") as refused:
        read(manifest)

    assert refused.value.code == "several_speakers"
    assert len(read(manifest, speaker="awb").train) == 1


@pytest.mark.parametrize(
    ("speaker", "slot"), [("Mrs. O'Hara", "mrs-o-hara"), ("Ünal", "nal"), ("42", "speaker-42"), ("朗読", "speaker")]
)
def test_a_speakers_name_becomes_one_that_stock_can_look_up(
    speaker: str, slot: str, coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    manifest = write_manifest([{**row, "speaker": speaker} for row in coded_rows])

    assert read(manifest).speaker == slot


def test_the_only_speaker_may_be_renamed(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    assert read(write_manifest(coded_rows), speaker="narrator").speaker == "narrator"
