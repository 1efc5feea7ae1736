"""What the takes are held against: whose clips, from where, and never those of the profile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, duration_s, write_clip
from jobs.errors import UserError
from jobs.rate_samples.anchors import LONGEST_PIECE_S, Anchor, anchors_of, carried_voice
from jobs.rate_samples.inputs import Plan, plan
from jobs.rate_samples.keys import file_hash

TEXT = "six words and more of text"


@pytest.fixture
def job(tmp_path: Path, write_manifest: Callable[..., Path]) -> tuple[Plan, Path, Path]:
    """A plan, its manifest (eight clips of anna, each another tone, and two of bert), the ratings' folder."""
    seconds = np.arange(CLIP_RATE_HZ * 3) / CLIP_RATE_HZ
    tones = [(TEXT, np.sin(2 * np.pi * (200 + 20 * n) * seconds).astype(np.float32) / 2) for n in range(10)]
    manifest = write_manifest(tmp_path / "data", "train_manifest.jsonl", tones, speaker="anna")
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for row in rows[8:]:
        row["speaker"] = "bert"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    takes = write_manifest(tmp_path / "takes", "takes.jsonl", tones[:2], speaker="anna")
    return plan(takes, manifest, 20, 2), manifest, tmp_path / "ratings"


def chosen(job: tuple[Plan, Path, Path], n_clips: int = 2, **given: Path) -> dict[str, Anchor]:
    """The anchors of the job."""
    made, manifest, out = job
    return anchors_of(made, manifest, out, n_clips, **{"other_speaker": None, "zero_shot_takes": None, **given})


def test_the_narrators_anchor_is_none_of_the_clips_of_the_profile(job: tuple[Plan, Path, Path]) -> None:
    anchor = chosen(job)["narrator"]

    profile = {file_hash(clip.path) for clip in job[0].clips["anna"]}
    assert len(anchor.asked) == 2
    assert not profile & {file_hash(asked.path) for asked in anchor.asked}
    assert [asked.take.audio for asked in anchor.asked] == ["anchors/narrator-01.wav", "anchors/narrator-02.wav"]
    assert "2 recordings of anna, not in the profile; 0 of the validation split" in anchor.note


def test_another_speaker_of_the_manifest_is_the_floor(job: tuple[Plan, Path, Path]) -> None:
    anchor = chosen(job)["other_speaker"]

    assert [(asked.narrator, asked.take.text) for asked in anchor.asked] == [("anna", TEXT)] * 2
    assert "other speakers (bert), against anna" in anchor.note


def test_without_another_speaker_the_carried_voice_is_the_floor_and_called_synthetic(
    job: tuple[Plan, Path, Path],
) -> None:
    del job[0].by_speaker["bert"]

    anchor = chosen(job)["other_speaker"]

    assert [asked.take.text for asked in anchor.asked] == [text for text, _ in carried_voice()[:2]]
    assert "synthetic" in anchor.note


def test_a_long_recording_of_another_person_is_heard_in_pieces_all_over_it(
    job: tuple[Plan, Path, Path], tmp_path: Path
) -> None:
    long = np.concatenate([np.full(CLIP_RATE_HZ, level, np.float32) for level in np.linspace(0, 0.9, 30)])
    write_clip(tmp_path / "someone.wav", long, CLIP_RATE_HZ)

    anchor = chosen(job, 3, other_speaker=tmp_path / "someone.wav")["other_speaker"]

    assert [duration_s(asked.path) for asked in anchor.asked] == [LONGEST_PIECE_S] * 3
    assert len({file_hash(asked.path) for asked in anchor.asked}) == 3
    assert anchor.note == "3 clips of someone.wav, given as another speaker"


def test_a_folder_of_recordings_gives_one_clip_each_and_an_empty_one_is_refused(
    job: tuple[Plan, Path, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    with pytest.raises(UserError) as refusal:
        chosen(job, other_speaker=folder)
    for name in ("a.wav", "b.flac"):
        write_clip(folder / name, np.full(CLIP_RATE_HZ, 0.1, np.float32), CLIP_RATE_HZ)

    anchor = chosen(job, other_speaker=folder)["other_speaker"]

    assert refusal.value.code == "anchor_unreadable"
    assert len(anchor.asked) == 2


def test_a_clones_takes_keep_their_texts_even_one_that_is_empty(job: tuple[Plan, Path, Path], tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    write_clip(clone / "00.wav", np.zeros(0, np.float32), CLIP_RATE_HZ)
    line = {"audio": "00.wav", "text": TEXT, "model": "base", "hit_limit": True, "take": 2}
    (clone / "takes.jsonl").write_text(json.dumps(line) + "\n")

    anchor = chosen(job, zero_shot_takes=clone)["zero_shot"]

    (asked,) = anchor.asked
    assert (asked.take.audio, asked.take.text, asked.take.take, asked.take.hit_limit) == (
        "anchors/zero_shot-01.wav", TEXT, 2, True,
    )  # fmt: skip
    assert anchor.note == "1 take of base, cloned without training"


def test_anchors_that_nobody_asked_for_are_not_made(job: tuple[Plan, Path, Path]) -> None:
    found = chosen(job, 0)

    assert [anchor.asked for anchor in found.values()] == [[], [], []]
    assert not (job[2] / "anchors").exists()
