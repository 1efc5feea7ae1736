"""Sizes of a coded manifest's clips, found without reading the codes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from jobs.dataset.manifest import Clip, write_rows
from jobs.training.data.manifest_scan import ClipSize, ManifestScan, divide, scan_manifest


def train_sizes(found: ManifestScan) -> list[ClipSize]:
    """Sizes of the clips that are trained on."""
    return [clip.size for clip in divide(found.clips, 0.0)[0]]


def row(n_frames: int, **fields: Any) -> dict[str, Any]:
    """A line of a coded manifest."""
    codes = [[codebook * 100 + frame for codebook in range(16)] for frame in range(n_frames)]
    return {"audio": "a.wav", "text": "A line.", "audio_codes": codes, **fields}


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":"), (" , ", " : ")], ids=["ours", "compact", "spaced"])
def test_every_way_of_writing_json_gives_the_same_sizes(tmp_path: Path, separators: tuple[str, str]) -> None:
    rows = [
        row(3, speaker="Anna", language="English"),
        row(1, text='They said: "audio_codes": [[1]] and left.', speaker="Bert", split="validation"),
        row(5, text="Zwölf Boxkämpfer", speaker="Anna", language="german", words=[]),
    ]
    path = tmp_path / "m.jsonl"
    path.write_text("\n\n".join(json.dumps(each, separators=separators) for each in rows) + "\n")

    found = scan_manifest(path)

    assert train_sizes(found) == [ClipSize(3, 7), ClipSize(5, 16)]
    assert [clip.size for clip in divide(found.clips, 0.0)[1]] == [ClipSize(1, 41)]
    assert found.speakers == {"Anna": 2, "Bert": 1}
    assert found.languages == {"auto", "english", "german"}
    assert found.n_unreadable == 0


def test_our_own_manifests_are_read_the_fast_way(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    write_rows(path, [Clip.model_validate(row(4))])

    assert b'"audio_codes": [[' in path.read_bytes()
    assert train_sizes(scan_manifest(path)) == [ClipSize(4, 7)]


@pytest.mark.parametrize(
    "line", ['{"audio": "a.wav", "audio_codes": [[1, 2', '{"audio": "a.wav"}', "[]", '{"audio_codes": []}', "null"]
)
def test_a_line_without_codes_is_counted_and_left_out(tmp_path: Path, line: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(f"{line}\n{json.dumps(row(2))}\n")

    found = scan_manifest(path)

    assert found.n_unreadable == 1
    assert train_sizes(found) == [ClipSize(2, 7)]


def test_a_clip_has_the_positions_of_its_frames_its_text_and_the_control_ids() -> None:
    size = ClipSize(frames=125, n_characters=150)

    assert size.seconds == 10
    assert size.length == 125 + 50 + 11


def test_ten_thousand_clips_take_under_two_seconds(tmp_path: Path) -> None:
    line = json.dumps(row(125)) + "\n"
    path = tmp_path / "m.jsonl"
    path.write_text(line * 10_000)

    started = time.process_time()
    found = scan_manifest(path)

    assert len(found.clips) == 10_000
    assert time.process_time() - started < 2
