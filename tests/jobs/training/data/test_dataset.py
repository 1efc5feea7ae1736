"""Every line of the coded manifest is checked before anything heavy is loaded; bad ones are left out and listed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.training.data.dataset import Dataset, read_dataset

Rows = list[dict[str, Any]]
WriteManifest = Callable[[Rows], Path]


def read(manifest: Path, speaker: str | None = None, **options: Any) -> Dataset:
    return read_dataset(manifest, speaker=speaker, languages=["english", "german"], codebook_size=64, **options)


def test_rows_become_clips_by_split(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    manifest = write_manifest(coded_rows)

    dataset = read(manifest)

    assert [clip.line for clip in dataset.train] == [1, 2, 3, 4]
    assert [clip.text for clip in dataset.validation] == ["jumps over the lazy dog"]
    assert [clip.language for clip in dataset.train] == ["english", "auto", "english", "english"]
    assert dataset.train[2].codes.tolist() == coded_rows[2]["audio_codes"]
    assert dataset.references == {"slt": [manifest.parent / "reference.wav"]}
    assert {clip.speaker for clip in dataset.train} == {"slt"}


def with_bad(rows: Rows, change: dict[str, Any]) -> Rows:
    """Forty good rows, of which the third is changed."""
    many = [{**copy.deepcopy(rows[n % 4]), "text": f"{rows[n % 4]['text']} {n}"} for n in range(40)]
    many[2].update(change)
    return many


BAD = [
    ({"language": "Klingon"}, "language_unknown", "'Klingon'"),
    ({"audio_codes": None}, "codes_missing", "no audio_codes"),
    ({"audio_codes": []}, "no_frames", "no frame"),
    ({"audio_codes": [[0] * 15, [0] * 15]}, "codes_invalid", "frames of [15] codes"),
    ({"audio_codes": [[64] + [0] * 15]}, "codes_invalid", "codes from 0 to 64"),
    ({"audio_codes": [[-1] + [0] * 15]}, "codes_invalid", "codes from -1 to 0"),
    ({"audio_codes": [[0] * 16] * 750}, "clip_too_long", "60.0 s; max_clip_s is 30"),
    ({"text": " \n"}, "text_empty", "no text"),
    ({"text": None}, "field_invalid", "text"),
]


@pytest.mark.parametrize(("change", "reason", "told"), BAD)
def test_a_bad_row_is_left_out_counted_and_listed_with_its_line(
    change: dict[str, Any], reason: str, told: str, coded_rows: Rows, write_manifest: WriteManifest, tmp_path: Path
) -> None:
    manifest = write_manifest(with_bad(coded_rows, change))

    dataset = read(manifest, rejected_to=tmp_path / "rejected.jsonl")

    (listed,) = (json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines())
    assert len(dataset.train) + len(dataset.validation) == 39
    assert dataset.rejected == {reason: 1}
    assert (listed["file"], listed["line"], listed["reason"]) == (str(manifest), 3, reason)
    assert told in listed["detail"]


@pytest.mark.parametrize("line", [b'{"audio": "x.wav", "tex', b"\xff\xfe", b"[1, 2]"])
def test_a_torn_line_does_not_stop_the_others(
    line: bytes, coded_rows: Rows, write_manifest: WriteManifest, tmp_path: Path
) -> None:
    manifest = write_manifest(with_bad(coded_rows, {}))
    manifest.write_bytes(manifest.read_bytes() + line)

    dataset = read(manifest, rejected_to=tmp_path / "rejected.jsonl")

    assert len(dataset.train) == 40
    assert sum(dataset.rejected.values()) == 1
    assert json.loads((tmp_path / "rejected.jsonl").read_text())["line"] == 41


def test_too_many_bad_rows_are_refused_with_reasons_and_lines(
    coded_rows: Rows, write_manifest: WriteManifest, tmp_path: Path
) -> None:
    rows = copy.deepcopy(coded_rows)
    rows[1].update({"text": ""})
    rows[3].update({"audio_codes": [[0] * 15]})
    manifest = write_manifest(rows)

    with pytest.raises(UserError, match="2 of 5 lines") as refused:
        read(manifest, rejected_to=tmp_path / "rejected.jsonl")
    allowed = read(manifest, max_bad_share=0.4)

    assert refused.value.code == "too_many_bad_rows"
    assert "text_empty 1, codes_invalid 1" in refused.value.message
    assert "line 2: no text" in refused.value.message
    assert len((tmp_path / "rejected.jsonl").read_text().splitlines()) == 2
    assert len(allowed.train) == 2


def test_a_repeated_row_is_learnt_once_and_never_if_its_twin_is_held_out(
    coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    repeated = [*coded_rows, copy.deepcopy(coded_rows[0]), {**copy.deepcopy(coded_rows[1]), "split": "validation"}]

    dataset = read(write_manifest(repeated))

    assert dataset.n_duplicates == 2
    assert (len(dataset.train), len(dataset.validation)) == (3, 2)


def test_a_reference_outside_the_dataset_is_refused(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    rows = copy.deepcopy(coded_rows)
    rows[2].update({"ref_audio": "../../elsewhere.wav"})

    with pytest.raises(UserError, match="elsewhere") as refused:
        read(write_manifest(rows))

    assert refused.value.code == "path_outside_dataset"


def test_lines_are_counted_with_blank_ones(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    manifest = write_manifest(coded_rows)
    manifest.write_text("\n\n" + manifest.read_text())

    assert [clip.line for clip in read(manifest).train] == [3, 4, 5, 6]


def test_a_manifest_without_training_rows_is_refused(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    manifest = write_manifest([{**row, "split": "validation"} for row in coded_rows])

    with pytest.raises(UserError) as refused:
        read(manifest)

    assert refused.value.code == "train_split_empty"


def test_of_several_speakers_one_is_taken_or_all(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    manifest = write_manifest([*coded_rows, {**coded_rows[0], "speaker": "AWB"}])

    assert read(manifest).speakers == ["slt", "awb"]
    assert len(read(manifest).train) == 5
    assert len(read(manifest, speaker="awb").train) == 1
    with pytest.raises(UserError, match="awb, slt") as refused:
        read(manifest, speaker="ann")
    with pytest.raises(UserError, match="references are of one voice"):
        read(manifest, references=[manifest])
    assert refused.value.code == "several_speakers"


def test_two_speakers_whose_voices_would_have_one_name_are_refused(
    coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    named = ["Ann B", "ann-b", "ann b", "Ann B", "Ann B"]
    manifest = write_manifest([{**row, "speaker": name} for row, name in zip(coded_rows, named, strict=True)])

    with pytest.raises(UserError, match="'Ann B' and 'ann-b'") as refused:
        read(manifest)

    assert refused.value.code == "speakers_collide"


def test_a_voice_is_made_of_clips_spread_over_the_manifest_that_are_there(
    coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    rows = [{**copy.deepcopy(coded_rows[0]), "audio": f"{n}.wav", "text": f"text {n}"} for n in range(100)]
    manifest = write_manifest(rows)
    for n in range(0, 100, 2):
        (manifest.parent / f"{n}.wav").touch()

    (found,) = read(manifest, n_speaker_clips=5).references.values()
    (given,) = read(manifest, references=[manifest.parent / "8.wav"], n_speaker_clips=5).references.values()

    assert [path.name for path in found] == ["reference.wav", "0.wav", "20.wav", "40.wav", "60.wav", "80.wav"]
    assert [path.name for path in given] == ["8.wav"]


def held_out(rows: Rows, write_manifest: WriteManifest, share: float = 0.1) -> tuple[set[str], set[str]]:
    """Texts learnt and texts held out."""
    dataset = read(write_manifest(rows), validation_share=share)
    return {clip.text for clip in dataset.train}, {clip.text for clip in dataset.validation}


def test_without_a_validation_split_a_share_is_held_out_by_text_and_always_the_same(
    coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    rows = [{**copy.deepcopy(coded_rows[n % 4]), "text": f"text {n // 2}"} for n in range(100)]  # every text twice

    learnt, held = held_out(rows, write_manifest)
    again = held_out(list(reversed(rows)), write_manifest)

    assert (len(learnt), len(held)) == (45, 5)
    assert not learnt & held
    assert again == (learnt, held)
    assert held_out(rows[:19], write_manifest)[1] == set()
    assert held_out(rows, write_manifest, 0.0)[1] == set()


def test_a_chapter_of_about_the_share_is_held_out_whole(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    def source(n: int) -> dict[str, Any]:
        chapter = 3 if 40 <= n < 48 else n // 30
        return {"recording": "book.m4b", "chapter": chapter, "start_s": 0.0, "end_s": 1.0}

    rows = [{**copy.deepcopy(coded_rows[n % 4]), "text": f"text {n}", "source": source(n)} for n in range(90)]

    assert held_out(rows, write_manifest)[1] == {f"text {n}" for n in range(40, 48)}


@pytest.mark.parametrize(
    ("speaker", "slot"), [("Mrs. O'Hara", "mrs-o-hara"), ("Ünal", "nal"), ("42", "speaker-42"), ("朗読", "speaker")]
)
def test_a_speakers_name_becomes_one_that_stock_can_look_up(
    speaker: str, slot: str, coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    manifest = write_manifest([{**row, "speaker": speaker} for row in coded_rows])

    assert read(manifest).speakers == [slot]


def test_the_only_speaker_may_be_renamed(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    assert read(write_manifest(coded_rows), speaker="narrator").speakers == ["narrator"]
