"""Every line of the coded manifest is checked before anything heavy is loaded; bad ones are left out and listed."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.manifest import read_extent
from jobs.errors import UserError
from jobs.training.data.dataset import Dataset, TrainingClip, log_split, read_dataset
from jobs.training.data.manifest_scan import scan_manifest

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


@pytest.mark.parametrize(
    ("given", "language"), [({}, "auto"), ({"language": None}, "auto"), ({"language": ""}, "auto"),
                            ({"language": "Auto"}, "auto"), ({"language": " German "}, "german")],
)  # fmt: skip
def test_a_row_without_a_language_is_auto_as_in_upstreams_format(
    given: dict[str, Any], language: str, coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    rows = [{**{name: value for name, value in row.items() if name != "language"}, **given} for row in coded_rows]
    manifest = write_manifest(rows)

    assert {clip.language for clip in read(manifest).train} == {language}
    assert scan_manifest(manifest).languages == {language}
    assert set(read_extent(manifest).languages) == {language}


def with_bad(rows: Rows, change: dict[str, Any]) -> Rows:
    """Forty good rows, of which the third is changed."""
    many = [{**copy.deepcopy(rows[n % 4]), "text": f"{rows[n % 4]['text']} {n}"} for n in range(40)]
    many[2].update(change)
    return many


BAD = [
    ({"language": "Klingon"}, "language_unknown", "'klingon'"),
    ({"audio_codes": None}, "codes_missing", "no audio_codes"),
    ({"audio_codes": []}, "no_frames", "no frame"),
    ({"audio_codes": [[0] * 15, [0] * 15]}, "codes_invalid", "frames of [15] codes"),
    ({"audio_codes": [[64] + [0] * 15]}, "codes_invalid", "codes from 0 to 64"),
    ({"audio_codes": [[-1] + [0] * 15]}, "codes_invalid", "codes from -1 to 0"),
    ({"audio_codes": [[0] * 16] * 750}, "clip_too_long", "60.0 s; max_clip_s is 30"),
    ({"text": " \n"}, "text_empty", "no text"),
    ({"text": None}, "field_invalid", "text"),
]


@pytest.mark.parametrize(("change", "reason", "detail"), BAD)
def test_a_bad_row_is_left_out_counted_and_listed_with_its_line(
    change: dict[str, Any], reason: str, detail: str, coded_rows: Rows, write_manifest: WriteManifest, tmp_path: Path
) -> None:
    manifest = write_manifest(with_bad(coded_rows, change))

    dataset = read(manifest, rejected_to=tmp_path / "rejected.jsonl")

    (listed,) = (json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines())
    assert len(dataset.train) + len(dataset.validation) == 39
    assert dataset.rejected == {reason: 1}
    assert (listed["file"], listed["line"], listed["reason"]) == (str(manifest), 3, reason)
    assert detail in listed["detail"]


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


def test_clips_elsewhere_in_the_roots_are_trained_on(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    rows = copy.deepcopy(coded_rows)
    rows[0].update({"audio": "../elsewhere/a.wav", "ref_audio": "../elsewhere/b.wav"})
    manifest = write_manifest(rows)
    elsewhere = manifest.parent.parent / "elsewhere"

    dataset = read(manifest, roots=AudioRoots((manifest.parent.parent,)))

    assert dataset.train[0].audio == elsewhere / "a.wav"
    assert dataset.references["slt"] == [elsewhere / "b.wav", manifest.parent / "reference.wav"]


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


@pytest.mark.parametrize("options", [{"n_speaker_clips": 0}, {"n_speaker_clips": 5, "references": [Path("a.wav")]}])
def test_audio_is_not_looked_for_where_no_clip_becomes_part_of_the_voice(
    options: dict[str, Any], coded_rows: Rows, write_manifest: WriteManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_manifest(coded_rows)
    looked: list[Path] = []
    monkeypatch.setattr(Path, "is_file", lambda path: looked.append(path) or True)

    read(manifest, **options)

    assert looked == []


def chapters(speaker: str, n_chapters: int, n_clips: int, row: dict[str, Any]) -> Rows:
    """Clips of one speaker in chapters 1, 2, ... of a recording, without a split."""
    return [
        {
            **copy.deepcopy(row), "speaker": speaker, "text": f"{speaker} {chapter} {clip}", "split": "train",
            "source": {"recording": f"{speaker}.m4b", "chapter": chapter, "start_s": clip, "end_s": clip + 1},
        }
        for chapter in range(1, n_chapters + 1)
        for clip in range(n_clips)
    ]  # fmt: skip


def counts(clips: list[TrainingClip]) -> dict[str, int]:
    """Number of clips by speaker."""
    return dict(Counter(clip.speaker for clip in clips))


def test_clips_of_every_speaker_are_trained_on_and_held_out(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    """A whole speaker was held out, and exported without training, when a chapter was near the share of all clips."""
    manifest = write_manifest([*chapters("anna", 5, 36, coded_rows[0]), *chapters("ben", 1, 20, coded_rows[0])])

    dataset = read(manifest, validation_share=0.05)

    assert dataset.speakers == ["anna", "ben"]
    held_out = counts(dataset.validation)
    assert set(held_out) == {"anna", "ben"}
    assert counts(dataset.train) == {"anna": 180 - held_out["anna"], "ben": 20 - held_out["ben"]}
    assert held_out["ben"] <= 10
    assert dataset.speakers_without_validation == {}


def test_neither_the_first_nor_the_last_chapter_is_held_out(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    manifest = write_manifest(chapters("anna", 10, 10, coded_rows[0]))

    held_out = {clip.text.split()[1] for clip in read(manifest, validation_share=0.1).validation}

    assert held_out
    assert not held_out & {"1", "10"}


def test_a_speaker_with_few_clips_is_trained_whole_and_the_log_says_so(
    coded_rows: Rows, write_manifest: WriteManifest, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = write_manifest([*chapters("anna", 5, 36, coded_rows[0]), *chapters("ben", 1, 8, coded_rows[0])])

    dataset = read(manifest, validation_share=0.05)
    with caplog.at_level("INFO"):
        log_split(dataset)

    assert counts(dataset.train)["ben"] == 8
    assert dataset.speakers_without_validation == {"ben": 8}
    assert "no clip of speaker ben is held out: all 8 are trained on (fewer than 20)" in caplog.text


def test_a_speaker_of_whom_the_manifest_holds_out_every_clip_is_refused(
    coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    ben = [{**row, "split": "validation"} for row in chapters("ben", 1, 20, coded_rows[0])]
    manifest = write_manifest([*chapters("anna", 5, 36, coded_rows[0]), *ben])

    with pytest.raises(UserError, match='no line with split "train" of ben') as refused:
        read(manifest, validation_share=0.05)
    one = read(manifest, speaker="anna")

    assert refused.value.code == "train_split_empty"
    assert one.speakers == ["anna"]


def test_a_given_split_stays(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    rows = chapters("anna", 5, 36, coded_rows[0])
    rows[7]["split"] = "validation"

    dataset = read(write_manifest(rows), validation_share=0.05)

    assert [clip.line for clip in dataset.validation] == [8]


def test_the_log_blames_a_small_number_of_clips_only_where_it_decides(
    coded_rows: Rows, write_manifest: WriteManifest, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [*chapters("anna", 5, 36, coded_rows[0]), *chapters("ben", 1, 8, coded_rows[0])]
    rows[7]["split"] = "validation"

    with caplog.at_level("INFO"):
        log_split(read(write_manifest(rows), validation_share=0.05))

    assert "no clip of speaker ben is held out: all 8 are trained on (by the manifest or settings)" in caplog.text


@pytest.mark.parametrize(
    ("speaker", "slot"), [("Mrs. O'Hara", "mrs-o-hara"), ("Ünal", "nal"), ("42", "speaker-42"), ("朗読", "speaker")]
)
def test_a_speakers_name_becomes_one_that_upstream_can_look_up(
    speaker: str, slot: str, coded_rows: Rows, write_manifest: WriteManifest
) -> None:
    manifest = write_manifest([{**row, "speaker": speaker} for row in coded_rows])

    assert read(manifest).speakers == [slot]


def test_the_only_speaker_may_be_renamed(coded_rows: Rows, write_manifest: WriteManifest) -> None:
    assert read(write_manifest(coded_rows), speaker="narrator").speakers == ["narrator"]
