"""Several processes make one dataset, killed or not, and it is that of one; what is wrong is said, not thrown."""

from __future__ import annotations

import errno
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import write_clip
from jobs.errors import UserError
from jobs.ingest_audiobook.dry_run import _text, plan
from jobs.ingest_audiobook.output import worker_pool
from jobs.ingest_audiobook.params import Params, check
from jobs.ingest_audiobook.work import make_clips
from jobs.settings import PROJECT_ROOT, Settings
from tests.support.small_disk import mounted, needs_root, remount

FABLES = str(PROJECT_ROOT / "samples" / "fables.m4b")
TEXT = str(PROJECT_ROOT / "samples" / "fables.txt")
Contexts = Callable[[], Any]


def params(out: Path, **more: Any) -> Params:
    lengths = {"min_clip_s": 1.5, "target_clip_s": 2.0, "max_clip_s": 10.0}  # a clip a sentence
    return Params(**{"audio": FABLES, "voice": "slt", "out_dir": str(out), "transcript": "none"} | lengths | more)


def test_two_processes_make_the_clips_and_texts_of_one(
    ingested: Any, sample_book: dict[str, Any], tmp_path: Path, make_context: Contexts
) -> None:
    make_clips(Params(**sample_book, out_dir=str(tmp_path / "two"), workers=2), make_context())

    one, two = (
        {path.relative_to(folder): path.read_bytes() for part in ("clips", ".ingest")
         for path in sorted((folder / part).rglob("*")) if path.is_file()}
        for folder in (ingested.dataset, tmp_path / "two")
    )  # fmt: skip
    assert len(two) == 18 + 2 + 1  # clips, units, made_from
    assert one == two


def test_killed_at_random_moments_it_ends_with_the_files_of_one_that_was_not() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kills.ingest_kills",
         *("--kills", "2", "--seed", "5", "--minutes", "1.1", "--clips-only")],
        cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "2 kills" in done.stdout
    assert "0 files differ" in done.stdout


def test_an_ingest_by_whisper_that_is_killed_ends_with_the_files_of_one_that_was_not(whisper_tiny_en: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kills.ingest_kills", "--whisper", str(whisper_tiny_en),
         *("--kills", "2", "--seed", "5", "--minutes", "1.1", "--clips-only")],
        cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "2 kills" in done.stdout
    assert "0 files differ" in done.stdout


def test_an_error_in_a_worker_is_reported_as_in_one_process(tmp_path: Path, make_context: Contexts) -> None:
    folder = tmp_path / "out"
    context = make_context()
    (folder / ".ingest").mkdir(parents=True)
    (folder / ".ingest" / "staged").symlink_to("/proc/self/nowhere")  # not writable

    with pytest.raises(OSError, match=r"."):
        make_clips(params(folder, workers=2), context)


class _OtherError(Exception):
    errno = errno.ENOSPC  # a number of a library, not of the operating system


@pytest.mark.parametrize(
    ("error", "message", "number"),
    [(OSError(errno.ENOSPC, "full"), "No space left on device", errno.ENOSPC),
     (_OtherError("bad frame"), "_OtherError: bad frame", None)],
)  # fmt: skip
def test_only_an_error_of_the_operating_system_is_sent_with_its_number(
    error: Exception, message: str, number: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise error

    monkeypatch.setattr(worker_pool, "open_source_files", fail)
    request = {"params": params(tmp_path).model_dump(mode="json"), "staged": str(tmp_path)}
    events = io.StringIO()

    worker_pool._serve(io.StringIO(json.dumps(request) + "\n"), events)

    assert json.loads(events.getvalue()) == {"kind": "failed", "code": "", "message": message, "errno": number}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB: some clips fit."""
    with mounted(tmp_path / "small disk", "1m") as folder:
        yield folder


@needs_root
@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_reported_and_the_job_goes_on_when_there_is_room(
    small_disk: Path, make_context: Contexts, workers: int
) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        make_clips(params(small_disk / "out", workers=workers), make_context())

    remount(small_disk, "size=50m")
    made = make_clips(params(small_disk / "out", workers=workers), make_context())

    assert caught.value.errno == errno.ENOSPC
    assert sum(len(record.clips) for record in made.state.finished()) == 18
    assert not list(small_disk.rglob("*.tts-train-new"))
    assert not (small_disk / "out" / ".ingest" / "staged").exists()


def test_a_header_that_promises_100_hours_costs_nothing(tmp_path: Path, make_context: Contexts) -> None:
    path = tmp_path / "book.wav"
    write_clip(path, np.zeros(48_000, np.float32), 24_000)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = (0x7FFFFFF0).to_bytes(4, "little")  # 12 hours
    path.write_bytes(content)

    made = make_clips(params(tmp_path / "out", audio=str(path)), make_context())

    records = list(made.state.finished())
    assert sum(record.end_24k - record.start_24k for record in records) == 48_000


def test_a_folder_becomes_one_dataset_whose_rows_name_their_file(tmp_path: Path, make_context: Contexts) -> None:
    book = tmp_path / 'my "book" 🎧'
    book.mkdir()
    for name in ("2.wav", "10.wav"):
        dice = np.random.default_rng(len(name))
        write_clip(book / name, 0.01 * dice.standard_normal(30_000).astype(np.float32), 24_000)

    made = make_clips(params(tmp_path / "out", audio=str(book)), make_context())

    rows = [row for record in made.state.finished() for row in record.rejections]
    assert {(row.source.recording, row.source.chapter) for row in rows} == {("2.wav", 1), ("10.wav", 2)}
    assert rows[0].source.recording == "2.wav"


def test_a_dry_run_tells_hours_chapters_disk_time_and_text(tmp_path: Path) -> None:
    python = tmp_path / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    settings = Settings(tmp_path / "home", tmp_path / "envs", (tmp_path, PROJECT_ROOT))
    (tmp_path / "home").mkdir()

    planned = plan(params(tmp_path / "out", text=TEXT, transcript="auto", chapters="2"), settings)

    assert planned["hours"] == pytest.approx(67.8 / 3600, abs=0.001)
    assert planned["hours_selected"] == pytest.approx(37.3 / 3600, abs=0.001)
    assert [(one["title"], one["selected"]) for one in planned["chapters"]] == [
        ("The Crow and the Pitcher", False),
        ("The Lion and the Mouse", True),
    ]
    assert planned["disk"]["fits"]
    assert planned["disk"]["need_mb"] == pytest.approx(37.3 * 0.048, abs=0.1)
    assert planned["time"]["about_min"] == pytest.approx(0.2, abs=0.05)  # to start
    assert "matched" in planned["text"]
    assert json.dumps(planned)

    with pytest.raises(UserError, match="chapters"):
        plan(params(tmp_path / "out", chapters="3"), settings)


@pytest.mark.parametrize(("model", "size"), [("large-v3", "3.1 GB"), ("small", "0.5 GB")])
def test_a_dry_run_names_the_download_of_whisper_unless_it_is_there(tmp_path: Path, model: str, size: str) -> None:
    settings = Settings(tmp_path / "home", tmp_path / "envs", (tmp_path,), hub_cache=tmp_path / "hub")
    here = tmp_path / "hub" / f"models--Systran--faster-whisper-{model}" / "snapshots" / "a"
    given = params(tmp_path / "out", whisper_model=model)

    assert _text(given, "whisper", settings) == f"Whisper {model}, to be downloaded once: {size}"

    here.mkdir(parents=True)
    (here / "model.bin").touch()

    assert _text(given, "whisper", settings) == f"Whisper {model}"


def test_segments_of_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n")

    with pytest.raises(UserError) as caught:
        check(params(tmp_path / "out", audio=str(tmp_path), transcript="auto", text=str(tmp_path / "a.srt")))

    assert caught.value.code == "segments_unclear"
