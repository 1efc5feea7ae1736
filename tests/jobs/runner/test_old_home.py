"""A home of version 0.1 opens, and what was queued in it runs with the new code.

``old_home/`` was made with the code of 26 November 2026 (commit ef5569c, before the packages were regrouped):

    ./run.sh ingest_clips (one clip)                               succeeded
    ./run.sh ingest_clips (a file that is no sound)                failed
    ./run.sh ingest_clips --not-before 20d, then cancel_job        cancelled
    ./run.sh ingest_clips --not-before 3m                          queued; its supervisor was killed
    ./run.sh ingest_clips --after (the one before)                 queued
    ./run.sh schedule_job --action create --name weekly --every 5000w --tool ingest_clips

Its database is kept as SQL (``iterdump`` and ``PRAGMA user_version``). Sounds, reports and pictures were left out, and
paths were replaced by ``@HOME@``, ``@INPUT@``, ``@ENVS@``, ``@PROJECT@`` and ``@CACHE@``.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
import struct
import wave
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.runner.schedules.schedules import Schedules
from jobs.settings import PROJECT_ROOT, Settings

STORED = Path(__file__).resolve().parent / "old_home"
DONE, FAILED, CANCELLED = (
    "ingest_clips-20261126-190901-1edf",
    "ingest_clips-20261126-190905-210d",
    "ingest_clips-20261126-190908-cf56",
)
QUEUED, AFTER = "ingest_clips-20261126-190910-4691", "ingest_clips-20261126-190911-1c4f"
WAIT_S = 120.0


@pytest.fixture
def old_runner(settings: Settings, tmp_path: Path) -> Runner:
    """A client of a copy of the stored home, with this machine's paths and a clip to read."""
    places = {
        "@HOME@": str(settings.home),
        "@INPUT@": str(tmp_path / "input"),
        "@ENVS@": str(settings.envs),
        "@PROJECT@": str(PROJECT_ROOT),
        "@CACHE@": str(tmp_path / "cache"),
    }
    shutil.copytree(STORED, settings.home)
    for path in [path for path in settings.home.rglob("*") if path.is_file()]:
        text = path.read_text(encoding="utf-8")
        for mark, place in places.items():
            text = text.replace(mark, place)
        path.write_text(text, encoding="utf-8")
    script = settings.home / "jobs.sql.txt"
    with sqlite3.connect(settings.home / "jobs.db") as connection:
        connection.executescript(script.read_text(encoding="utf-8"))
    script.unlink()
    (settings.home / "input").rename(tmp_path / "input")
    _write_tone(tmp_path / "input" / "clips" / "0001.wav")
    return Runner(settings)


def _write_tone(path: Path, seconds: float = 0.6, rate_hz: int = 24_000) -> None:
    path.parent.mkdir()
    n_samples = int(seconds * rate_hz)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        for place in range(n_samples):
            loudness = 8000 * math.sin(math.pi * place / n_samples)
            sound.writeframesraw(struct.pack("<h", int(loudness * math.sin(2 * math.pi * 220 * place / rate_hz))))


def test_an_old_home_lists_its_jobs_with_results_and_errors(old_runner: Runner, settings: Settings) -> None:
    states = {job.job_id: job.state for job in old_runner.list()}
    done, failed = old_runner.get(DONE), old_runner.get(FAILED)

    assert states.keys() == {DONE, FAILED, CANCELLED, QUEUED, AFTER}
    assert (states[DONE], states[FAILED], states[CANCELLED]) == ("succeeded", "failed", "cancelled")
    assert done.result is not None
    assert done.result["dataset"] == str(settings.home / "datasets" / "done")
    assert failed.failure is not None
    assert failed.failure.code == "all_clips_rejected"
    assert old_runner.history(DONE).points[-1].metrics["kept_s"] == 0.6
    assert "all_clips_rejected" in "\n".join(old_runner.log_tail(FAILED, 20))


def test_an_old_homes_artifacts_are_found_and_checked(old_runner: Runner, settings: Settings) -> None:
    assert {artifact.name for artifact in old_runner.artifacts(DONE)} == {"rejections", "report", "manifest"}
    assert old_runner.lineage(DONE).kind == "ingest_clips"
    manifest = old_runner.resolve(f"artifact://{DONE}/manifest")
    assert manifest == settings.home / "datasets" / "done" / "train_manifest.jsonl"
    with pytest.raises(UserError, match="artifact_missing"):
        old_runner.resolve(f"artifact://{DONE}/report")


def test_the_jobs_that_were_queued_run_to_their_end(old_runner: Runner) -> None:
    pytest.importorskip("soundfile", reason="ingest_clips runs in the ml environment: ./run.sh setup ml")

    ended = [old_runner.wait(job_id, WAIT_S) for job_id in (QUEUED, AFTER)]

    assert [(job.state, job.detail) for job in ended] == [("succeeded", ""), ("succeeded", "")]
    for job in ended:
        assert job.result is not None
        assert job.result["n_clips"] == 1
        assert old_runner.resolve(f"artifact://{job.job_id}/manifest").is_file()


def test_an_old_schedule_submits_its_kind(old_runner: Runner, settings: Settings) -> None:
    schedules = Schedules(settings)

    weekly = schedules.get("weekly")
    job = old_runner.get(schedules.run_now("weekly"))

    assert (weekly.kind, str(weekly.rule)) == ("ingest_clips", "every 5000w")
    assert job.kind == "ingest_clips"
    assert job.params["voice"] == "weekly"
