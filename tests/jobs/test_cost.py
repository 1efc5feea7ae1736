"""Amounts of input, from which a dry run estimates what a job takes; nothing is decoded."""

from __future__ import annotations

import json
import wave
from functools import partial
from pathlib import Path

import pytest

from jobs import cost
from jobs.cost import Cost, audio_seconds, count_lines, manifest_seconds, spoken_seconds
from jobs.ingest_clips.spec import COST as CLIPS
from tests.support.hostile.limits import within_limits


def write_wav(path: Path, seconds: float) -> Path:
    """Silence."""
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 24_000, 0, "NONE", ""))
        sound.writeframes(bytes(round(seconds * 24_000) * 2))
    return path


def test_a_recording_is_measured_by_its_header_or_its_size_and_a_folder_by_all_in_it(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", 2)
    (tmp_path / "b.mp3").write_bytes(bytes(24_000))
    (tmp_path / "below").mkdir()
    write_wav(tmp_path / "below" / "c.wav", 4)
    (tmp_path / "unknown.wav").write_bytes(b"no header" + bytes(48_000 - 9))

    assert audio_seconds({"audio": str(tmp_path / "a.wav")}, "audio") == 2
    (tmp_path / "cover.jpg").write_bytes(bytes(80_000))
    (tmp_path / ".trash").mkdir()
    write_wav(tmp_path / ".trash" / "old.wav", 3)
    assert audio_seconds({"audio": str(tmp_path)}, "audio") == 10
    assert audio_seconds({"audio": str(tmp_path), "most": 3}, "audio", "most") == 3


def test_the_plan_has_opened_the_inputs_and_a_finished_job_has_read_them() -> None:
    rule = Cost(lambda params: params["n"], "s", 1, 1, 1, 1, planned=lambda plan: plan.get("read_s", 0), made="read_s")

    assert rule.measure({"n": 9}) == rule.measure({"n": 9}, {}) == rule.measure({"n": 9}, {"other": 1}) == 9
    assert rule.measure({"n": 9}, {"read_s": 4}) == 4
    assert rule.measure_done({"n": 9}, {"read_s": 5.0}) == 5
    assert rule.measure_done({"n": 9}, None) == rule.measure_done({"n": 9}, {"read_s": None}) == 9


def test_clips_that_no_line_names_are_not_counted(tmp_path: Path) -> None:
    for name in "abcd":
        write_wav(tmp_path / f"{name}.wav", 2)
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"audio_file": "b.wav", "text": "A line."}\n' * 3)

    assert CLIPS.measure({"transcripts": str(lines)}) == 6
    assert CLIPS.measure({"transcripts": str(tmp_path), "audio_dir": str(tmp_path)}) == 8


def test_an_mp4_is_measured_by_the_length_that_it_states(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "samples" / "fables.m4b"
    content = sample.read_bytes()
    truncated, stated = tmp_path / "truncated.m4b", content.index(b"mvhd") + 20
    truncated.write_bytes(content[:40_000])
    unknown = tmp_path / "unknown.m4b"
    unknown.write_bytes(content[:stated] + b"\xff\xff\xff\xff" + content[stated + 4 :])
    large = tmp_path / "large.m4b"  # a box whose size has 64 bits, beyond every file
    large.write_bytes(content[:4] + b"ftyp" + content[8 : content[3]] + b"\0\0\0\1free" + b"\xff" * 40)

    crowded = tmp_path / "crowded.m4b"
    first = content[: content[3]]
    crowded.write_bytes(first + b"\0\0\0\x08free" * 1000 + content[len(first) :])

    assert audio_seconds({"audio": str(sample)}, "audio") == pytest.approx(67.8, abs=0.1)
    assert audio_seconds({"audio": str(crowded)}, "audio") == pytest.approx(crowded.stat().st_size / 8000)
    assert audio_seconds({"audio": str(unknown)}, "audio") == pytest.approx(len(content) / 8000)
    assert audio_seconds({"audio": str(large)}, "audio") == pytest.approx(large.stat().st_size / 8000)
    assert audio_seconds({"audio": str(truncated)}, "audio") > 0


def test_manifests_texts_and_lines_are_measured(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps({"duration_s": 2.5}) + "\n\n" + json.dumps({}) + "\n")

    assert manifest_seconds({"manifest": str(path)}) == 7.5
    assert spoken_seconds({"texts": ["x" * 30, "y" * 15]}) == 3
    assert count_lines({"takes": str(path)}, "takes") == 2
    assert count_lines({"takes": str(tmp_path)}, "takes", "m.jsonl") == 2


@pytest.mark.parametrize("params", [{}, {"manifest": "gone.jsonl"}, {"manifest": None}])
def test_an_input_that_cannot_be_read_has_no_amount(params: dict[str, object]) -> None:
    cost = Cost(partial(manifest_seconds, name="manifest"), "s", s_each=1, s_fixed=1, memory_mb=1, bytes_each=1)

    assert cost.measure(params) == 0


def test_a_header_without_end_and_many_links_to_one_file_cost_little(tmp_path: Path) -> None:
    content = write_wav(tmp_path / "a.wav", 2).read_bytes()
    (tmp_path / "a.wav").write_bytes(content[:12] + b"junk\0\0\0\0" * 120_000 + content[12:])
    for number in range(50):
        (tmp_path / f"{number}.wav").symlink_to("a.wav")

    with within_limits(most_s=0.5):
        assert audio_seconds({"audio": str(tmp_path)}, "audio") == pytest.approx(20 + 2, abs=0.01)  # by its size


def test_of_many_files_some_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (tmp_path / f"{number}.mp3").write_bytes(bytes(cost.COMPRESSED_BYTES_PER_S))
    monkeypatch.setattr(cost, "MOST_OPENED", 5)

    assert cost.audio_seconds({"audio": str(tmp_path)}, "audio") == 20
