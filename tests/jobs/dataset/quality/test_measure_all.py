"""Clips are measured by several processes, once: what was measured before a kill is not measured again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.dataset.manifest import Clip
from jobs.dataset.quality.measure_all import JOURNAL_NAME, measure_clips
from jobs.dataset.quality.measure_clip import Task, is_measure, measure
from jobs.ingest_clips.params import Params
from jobs.ingest_clips.work import run
from jobs.runner.worker.context import Cancelled
from jobs.settings import PROJECT_ROOT

Contexts = Callable[[], Any]

# Ingests curated clips as a worker does, and kills itself when eight of them are measured.
KILLED_JUDGE = """
import os, signal, sys
from jobs.ingest_clips.params import Params
from jobs.ingest_clips.work import run
from jobs.settings import Settings

class Context:
    settings = Settings.from_environment()
    def progress(self, done, total=None, message="", **metrics):
        if message.startswith("8 of 18 clips measured"):
            os.kill(os.getpid(), signal.SIGKILL)
    def raise_if_cancelled(self):
        pass

run(Params.model_validate_json(sys.argv[1]), Context())
"""


@pytest.fixture
def clips(tmp_path: Path, fables: list[tuple[str, np.ndarray]]) -> list[Clip]:
    """Eighteen sentences under ``tmp_path``."""
    for number, (_, samples) in enumerate(fables):
        write_clip(tmp_path / f"{number:02d}.wav", samples, CLIP_RATE_HZ)
    return [Clip(audio=f"{number:02d}.wav", text=text) for number, (text, _) in enumerate(fables)]


def test_processes_measure_what_one_process_measures(clips: list[Clip], tmp_path: Path, make_context: Contexts) -> None:
    alone = measure_clips(tmp_path, clips, make_context(), lambda _: None)
    (tmp_path / JOURNAL_NAME).unlink()

    together = measure_clips(tmp_path, clips, make_context(), lambda _: None, clips_a_process=9)

    assert [each.values for each in together] == [each.values for each in alone]
    assert [each.n_units for each in together] == [each.n_units for each in alone]
    for one, other in zip(alone, together, strict=True):
        assert one.embedding is not None
        assert other.embedding is not None
        assert float(one.embedding @ other.embedding) == pytest.approx(1.0, abs=1e-3)


def test_what_was_measured_before_a_stop_is_not_measured_again(
    clips: list[Clip], tmp_path: Path, make_context: Contexts
) -> None:
    told: list[str] = []
    stopped = make_context()
    stopped.cancel_after_progress = 1
    with pytest.raises(Cancelled):
        measure_clips(tmp_path, clips, stopped, lambda message: stopped.progress(0, None, message))
    done = (tmp_path / JOURNAL_NAME).read_text().splitlines()

    measure_clips(tmp_path, clips, make_context(), told.append)

    lines = (tmp_path / JOURNAL_NAME).read_text().splitlines()
    assert len(done) == 8
    assert lines[:8] == done
    assert len({json.loads(line)["key"] for line in lines}) == len(lines) == 18


def test_a_changed_clip_is_measured_again(clips: list[Clip], tmp_path: Path, make_context: Contexts) -> None:
    before = measure_clips(tmp_path, clips[:1], make_context(), lambda _: None)
    write_clip(tmp_path / "00.wav", np.zeros(CLIP_RATE_HZ, np.float32), CLIP_RATE_HZ)

    after = measure_clips(tmp_path, clips[:1], make_context(), lambda _: None)

    assert before[0].values
    assert after[0].values == {}


def test_a_killed_judging_goes_on_and_ends_with_the_same_manifest(
    clips: list[Clip], tmp_path: Path, make_context: Contexts
) -> None:
    lines = [json.dumps({"audio_file": clip.audio, "text": clip.text}) for clip in clips]
    (tmp_path / "lines.jsonl").write_text("\n".join(lines), encoding="utf-8")
    given = Params(transcripts=str(tmp_path / "lines.jsonl"), quality={"dnsmos": "off"})
    undisturbed, killed = (given.model_copy(update={"out_dir": str(tmp_path / name)}) for name in ("whole", "killed"))
    run(undisturbed, make_context())

    attempt = subprocess.run(
        [sys.executable, "-c", KILLED_JUDGE, killed.model_dump_json()], cwd=PROJECT_ROOT, check=False
    )
    before = (tmp_path / "killed" / JOURNAL_NAME).read_bytes()
    assert not (tmp_path / "killed" / "train_manifest.jsonl").exists()
    run(killed, make_context())

    after = (tmp_path / "killed" / JOURNAL_NAME).read_bytes()
    assert attempt.returncode == -signal.SIGKILL
    assert before.count(b"\n") == 8
    assert after.startswith(before)
    for name in ("train_manifest.jsonl", "rejections.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert after.count(b"\n") == (tmp_path / "whole" / JOURNAL_NAME).read_bytes().count(b"\n")


@pytest.mark.parametrize(
    ("instrument", "entry"),
    [
        ("sound", None),
        ("sound", {"values": {"snr_db": 20.0}}),
        ("sound", {"values": {}, "voice": "AAAA"}),
        ("sound", {"values": {}, "voice": "no base64"}),
        ("sound", {"values": {"snr_db": "high"}}),
        ("mos", {"ovrl": 3.0, "bak": 3.0}),
        ("text", {"text_match": 2.0}),
        ("text", {"text_match": 0.5, "more": 1}),
    ],
)
def test_a_line_of_the_journal_that_no_measurement_gives_counts_as_none(instrument: str, entry: Any) -> None:
    assert not is_measure(Task(Path("a.wav"), "A.", "english", instrument), entry)


def test_what_a_measurement_gives_is_known_again(clips: list[Clip], tmp_path: Path) -> None:
    task = Task(tmp_path / clips[0].audio, clips[0].text, "english")

    assert is_measure(task, json.loads(json.dumps(measure(task))))
    assert is_measure(task, {"values": {}})
