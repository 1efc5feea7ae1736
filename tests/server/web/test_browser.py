"""The pages in real Chromium: correction by keyboard and mouse, two windows, live jobs, widths, and axe-core."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.dataset.corrections.record import read_corrections
from jobs.narrate.report.html_report import ChapterRow, Waveform, write_report
from jobs.narrate.script.passages import Chapter, Passage
from jobs.narrate.sound.timeline import Placed, Timeline
from jobs.narrate.speech.take_store import KeptTake
from jobs.runner.paths import Home
from tests.server.web.browsing import compare_pictures, find_chromium, pages
from tests.server.web.conftest import add_job, make_book, make_dataset, make_takes
from tests.support.html_page import HOSTILE

RUN_S = 120
PAUSE_S = (1.9, 2.1)  # in the middle of each clip of 4 s
VOICES = ("good", "fair", "poor")
GOLDEN_PAGES = ("jobs", "dataset", "voice", "listen", "training", "book", "votes")
MOST_MEMORY_KB = 150_000
MOST_PAINT_MS = 1500  # 300 are aimed at; the machine of the tests does much else at the same time


def write_sounds(dataset: Path) -> None:
    """A tone of 4 s with a pause in its middle for each of the first clips."""
    at = np.arange(4 * CLIP_RATE_HZ) / CLIP_RATE_HZ
    tone = np.where((at > PAUSE_S[0]) & (at < PAUSE_S[1]), 0.0, 0.3 * np.sin(2 * np.pi * 220 * at))
    for path in (dataset / "clips").glob("*.wav"):
        write_clip(path, tone.astype(np.float32), CLIP_RATE_HZ)


def write_tone(path: Path, length_s: float) -> None:
    """A quiet tone."""
    at = np.arange(int(length_s * CLIP_RATE_HZ)) / CLIP_RATE_HZ
    write_clip(path, (0.1 * np.sin(2 * np.pi * 220 * at)).astype(np.float32), CLIP_RATE_HZ)


def add_words(dataset: Path) -> None:
    """Align the fourth clip, which has a tone of its own."""
    write_tone(dataset / "clips" / "000003.wav", 4.0)
    words = [{"word": word, "start_s": 0.5 * n + 0.2, "end_s": 0.5 * n + 0.65, "score": 0.9}
             for n, word in enumerate(["This", "is", "the", "text", "of", "clip", "3."])]  # fmt: skip
    row = {"audio": "clips/000003.wav", "text": "This is the text of clip 3.", "words": words,
           "source": {"recording": "book.m4b", "chapter": 1, "start_s": 15.0, "end_s": 19.0}}  # fmt: skip
    (dataset / "train_aligned.jsonl").write_text(json.dumps(row) + "\n")


def add_cancelled(home: Path) -> str:
    """Add a job that another process has submitted and that has ended."""
    params = {"speaker": "<script>alert(3)</script>"}
    return add_job(home, "training-20260105-000000-0001", "cancelled", params).name


def add_training(home: Path) -> None:
    """Add a training with curves, of which the validation rises, and samples of two sentences."""
    job_id = "training-20260103-000000-0003"
    path = add_job(home, job_id, "cancelled", {"speaker": "anna", "manifest": "m.jsonl"})
    points = [{"at": at, "done": at, "total": 40, "metrics": {"loss": 5 - at, "lr": 1e-5, "validation_loss": loss}}
              for at, loss in enumerate((4.0, 3.0, 3.5, 3.6), 1)]  # fmt: skip
    (path / "progress.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    samples = Home(home).out(job_id) / "samples"
    samples.mkdir(parents=True)
    lines = [{"source": source, "text": text, "audio": f"samples/{source}-{n}.wav", "is_held_out": True,
              "duration_s": 3.2 + n} for n, text in enumerate(("A fox ran home.", "The hen slept."))
             for source in ("narrator", "zero-shot", "step-20", "voice")]  # fmt: skip
    (samples / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def add_voice(home: Path) -> None:
    """Add a voice with a card."""
    folder = home / "voices" / "anna" / "training" / "voice"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    card = {"speakers": ["anna"], "language": "english", "base_model": "Qwen/Qwen3-TTS-12Hz-0.6B-Base",
            "method": "full", "steps": 400, "rights": "The narrator has agreed to synthetic speech."}  # fmt: skip
    (folder / "tts_train.json").write_text(json.dumps(card))


def write_narration(home: Path) -> str:
    """Write the report of a narration of two chapters with a doubtful passage each, and return its path."""
    rows, takes, keys = [], {}, {}
    for number in (1, 2):
        text = f"Passage of chapter {number}. {HOSTILE if number == 2 else ''}"
        passage = Passage(text, text, 0, 0.5)
        chapter = Chapter(number, f"Chapter {number}", (passage,))
        placed = Placed(passage, 0, 0, 3 * CLIP_RATE_HZ)
        waveform = Waveform(list(np.abs(np.sin(np.arange(200) / 9))))
        timeline = Timeline(chapter, (placed,), 4 * CLIP_RATE_HZ)
        rows.append(ChapterRow(timeline, 4.0 * number, -19.0, -3.2, waveform.draw()))
        keys[passage] = f"key{number}"
        takes[f"key{number}"] = KeptTake(attempt=1, rating=2.4, reasons=("the text is not heard",))
    path = home / "narration.html"
    write_report(path, "Two Birds", rows, takes, keys, [], ["A note on how the text was read."], None)
    return str(path)


def test_a_person_corrects_by_keyboard_and_mouse_and_sees_jobs_live(tmp_path: Path) -> None:
    home = tmp_path / "home"
    dataset = home / "datasets" / "anna"
    make_dataset(dataset)
    write_sounds(dataset)
    make_dataset(home / "datasets" / "big", 10_000)
    add_words(dataset)
    add_training(home)
    make_book(home, home / "book", "narrate-20260101-000000-0001")
    write_tone(home / "book" / "001.mp3", 30.0)
    add_voice(home)
    for number, name in enumerate(VOICES):
        make_takes(home, f"synthesize-20260101-00000{number}-000{number}", name)

    with pages(find_chromium(), tmp_path, home, tmp_path) as server:
        seen = server.walk(
            "flow", {"job": lambda: add_cancelled(home), "narration": lambda: write_narration(home)}, RUN_S
        )
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        loaded = Path(f"/proc/{server.process.pid}/maps").read_text()

    first, second, *_ = read_corrections(dataset / "corrections.jsonl")
    memory_kb = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    print(f"{memory_kb / 1000:.0f} MB at most")  # noqa: T201
    assert seen["cookieReadable"] == ""
    assert (seen["corrected"], first.parts[0].text) == ("The right words.", "The right words.")
    assert second.parts[0].end_s == seen["end"]
    assert 5 + PAUSE_S[0] <= seen["end"] <= 5 + PAUSE_S[1], "the border has snapped to the pause"
    assert "Train a Qwen3-TTS voice <script>alert(3)</script> cancelled" in seen["job"]
    assert seen["milliseconds"]["warm"] < MOST_PAINT_MS
    assert memory_kb < MOST_MEMORY_KB
    assert "libtorch" not in loaded
    assert (seen["lit"], seen["chosen"]) == ("the", 1)
    assert seen["advice"] == "The validation loss has risen since step 2: stop here, that one was the best."
    shown = product(GOLDEN_PAGES, ("1280", "390"), ("light", "dark"))
    assert compare_pictures(["-".join(one) for one in shown]) == {}
