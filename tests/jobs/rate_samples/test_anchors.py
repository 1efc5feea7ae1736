"""Anchors: their clips, their origin, never those of the profile."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, duration_s, write_clip
from jobs.dataset.audio_roots import AudioRoots
from jobs.errors import UserError
from jobs.files.reading import hash_file
from jobs.rate_samples.anchors import MAX_EXCERPT_S, Anchor, collect_anchors, read_bundled_voice
from jobs.rate_samples.inputs import RatingInputs, read_inputs
from jobs.rate_samples.params import Params

TEXT = "six words and more of text"


@pytest.fixture
def job(tmp_path: Path, write_manifest: Callable[..., Path]) -> tuple[RatingInputs, Path, Path]:
    """Inputs, their manifest (eight clips of anna, each another tone, and two of bert), the ratings' folder."""
    seconds = np.arange(CLIP_RATE_HZ * 3) / CLIP_RATE_HZ
    tones = [(TEXT, np.sin(2 * np.pi * (200 + 20 * n) * seconds).astype(np.float32) / 2) for n in range(10)]
    manifest = write_manifest(tmp_path / "data", "train_manifest.jsonl", tones, speaker="anna")
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for row in rows[8:]:
        row["speaker"] = "bert"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    takes = write_manifest(tmp_path / "takes", "takes.jsonl", tones[:2], speaker="anna")
    return read_inputs(takes, manifest, 20, 2), manifest, tmp_path / "ratings"


def chosen(job: tuple[RatingInputs, Path, Path], n_clips: int = 2, **given: Path) -> dict[str, Anchor]:
    """The anchors of the job."""
    inputs, manifest, out = job
    paths = {name: str(path) for name, path in given.items()}
    params = Params(takes="", narrator_manifest=str(manifest), anchor_clips=n_clips, **paths)
    return collect_anchors(inputs, params, out)


def test_the_narrators_anchor_is_none_of_the_clips_of_the_profile(job: tuple[RatingInputs, Path, Path]) -> None:
    anchor = chosen(job)["narrator"]

    profile = {hash_file(clip.path) for clip in job[0].clips["anna"]}
    assert len(anchor.items) == 2
    assert not profile & {hash_file(item.path) for item in anchor.items}
    assert [item.take.audio for item in anchor.items] == ["anchors/narrator-01.wav", "anchors/narrator-02.wav"]
    assert "2 recordings of anna, not in the profile; 0 of the validation split" in anchor.note


def test_clips_that_training_holds_out_by_default_are_counted_as_validation(
    tmp_path: Path, write_manifest: Callable[..., Path]
) -> None:
    tone = np.full(CLIP_RATE_HZ * 3, 0.1, np.float32)
    clips = [(f"{TEXT} {n}", tone) for n in range(24)]
    manifest = write_manifest(tmp_path / "data", "train_manifest.jsonl", clips, speaker="anna")
    takes = write_manifest(tmp_path / "takes", "takes.jsonl", clips[:1], speaker="anna")

    anchor = chosen((read_inputs(takes, manifest, 20, 2), manifest, tmp_path / "ratings"))["narrator"]

    assert anchor.note == "2 recordings of anna, not in the profile; 2 of the validation split"


def test_another_speaker_of_the_manifest_is_the_lower_bound(job: tuple[RatingInputs, Path, Path]) -> None:
    anchor = chosen(job)["other_speaker"]

    assert [(item.narrator, item.take.text) for item in anchor.items] == [("anna", TEXT)] * 2
    assert "other speakers (bert), against anna" in anchor.note


def test_without_another_speaker_the_bundled_voice_is_the_lower_bound_and_called_synthetic(
    job: tuple[RatingInputs, Path, Path],
) -> None:
    del job[0].by_speaker["bert"]

    anchor = chosen(job)["other_speaker"]

    assert [item.take.text for item in anchor.items] == [text for text, _ in read_bundled_voice()[:2]]
    assert "synthetic" in anchor.note


def test_a_long_recording_of_another_person_gives_excerpts_spread_over_it(
    job: tuple[RatingInputs, Path, Path], tmp_path: Path
) -> None:
    long = np.concatenate([np.full(CLIP_RATE_HZ, level, np.float32) for level in np.linspace(0, 0.9, 30)])
    write_clip(tmp_path / "someone.wav", long, CLIP_RATE_HZ)

    anchor = chosen(job, 3, other_speaker=tmp_path / "someone.wav")["other_speaker"]

    assert [duration_s(item.path) for item in anchor.items] == [MAX_EXCERPT_S] * 3
    assert len({hash_file(item.path) for item in anchor.items}) == 3
    assert anchor.note == "3 clips of someone.wav, given as another speaker"


def test_a_folder_of_recordings_gives_one_clip_each_and_an_empty_one_is_refused(
    job: tuple[RatingInputs, Path, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    with pytest.raises(UserError) as refusal:
        chosen(job, other_speaker=folder)
    for name in ("a.wav", "b.flac"):
        write_clip(folder / name, np.full(CLIP_RATE_HZ, 0.1, np.float32), CLIP_RATE_HZ)

    anchor = chosen(job, other_speaker=folder)["other_speaker"]

    assert refusal.value.code == "anchor_unreadable"
    assert len(anchor.items) == 2


def test_a_link_in_a_folder_of_recordings_that_leads_out_is_not_heard(
    job: tuple[RatingInputs, Path, Path], tmp_path: Path
) -> None:
    folder, private, shared = tmp_path / "people", tmp_path / "private.wav", tmp_path / "shared" / "b.wav"
    for made in (folder, shared.parent):
        made.mkdir()
    for path in (private, shared):
        write_clip(path, np.full(CLIP_RATE_HZ, 0.1, np.float32), CLIP_RATE_HZ)
    inputs = replace(job[0], roots=AudioRoots((shared.parent,)))
    (folder / "b.wav").symlink_to(shared)

    anchor = chosen((inputs, *job[1:]), other_speaker=folder)["other_speaker"]
    (folder / "a.wav").symlink_to(private)
    with pytest.raises(UserError) as refusal:
        chosen((inputs, *job[1:]), other_speaker=folder)

    assert len(anchor.items) == 1
    assert refusal.value.code == "path_outside_dataset"


def test_the_takes_of_a_clone_keep_their_texts_even_if_empty(
    job: tuple[RatingInputs, Path, Path], tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    write_clip(clone / "00.wav", np.zeros(0, np.float32), CLIP_RATE_HZ)
    line = {"audio": "00.wav", "text": TEXT, "model": "base", "hit_limit": True, "take": 2}
    (clone / "takes.jsonl").write_text(json.dumps(line) + "\n")

    anchor = chosen(job, zero_shot_takes=clone)["zero_shot"]

    (item,) = anchor.items
    assert (item.take.audio, item.take.text, item.take.take, item.take.hit_limit) == (
        "anchors/zero_shot-01.wav", TEXT, 2, True,
    )  # fmt: skip
    assert anchor.note == "1 take of base, cloned without training"


def test_takes_of_a_clone_that_name_one_file_twice_are_refused(
    job: tuple[RatingInputs, Path, Path], tmp_path: Path
) -> None:
    write_clip(tmp_path / "00.wav", np.zeros(2400, np.float32), CLIP_RATE_HZ)
    line = json.dumps({"audio": "00.wav", "text": TEXT, "model": "base"}) + "\n"
    (tmp_path / "takes.jsonl").write_text(line * 2)

    with pytest.raises(UserError, match="twice") as refused:
        chosen(job, zero_shot_takes=tmp_path)

    assert refused.value.code == "clip_repeated"


def test_anchors_that_are_not_requested_are_not_made(job: tuple[RatingInputs, Path, Path]) -> None:
    found = chosen(job, 0)

    assert [anchor.items for anchor in found.values()] == [[], [], []]
    assert not (job[2] / "anchors").exists()
