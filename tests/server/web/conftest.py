"""The application over starlette's test client, on a home with a dataset whose names and texts are hostile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from jobs.dataset.manifest import Clip, Rejection, Source, write_rows
from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings
from server.web.admission import Keys
from server.web.app import web_app
from tests.support.html_page import HOSTILE
from tools.core.tool_types import ToolContext

PORT = 4321
ORIGIN = f"http://127.0.0.1:{PORT}"
N_CLIPS = 120


@dataclass
class Browser:
    """A client that has opened the first address.

    Attributes:
        client: with the cookie.
        keys: of the application.
        context: surroundings of tools.
    """

    client: TestClient
    keys: Keys
    context: ToolContext

    def get(self, path: str, **options: Any) -> Any:
        """Get a page."""
        return self.client.get(f"{self.keys.root}{path}", **options)

    def post(self, path: str, origin: str | None = ORIGIN, **fields: str) -> Any:
        """Send a form as htmx does."""
        headers = {"HX-Request": "true"} | ({"Origin": origin} if origin is not None else {})
        return self.client.post(f"{self.keys.root}{path}", data=fields, headers=headers)


def add_job(home: Path, job_id: str, state: str, params: dict[str, Any], **more: Any) -> Path:
    """Add a job to the store, with a folder for its first attempt, and return that folder."""
    row = {"id": job_id, "kind": job_id.split("-")[0], "spec_hash": "", "document": json.dumps({"params": params}),
           "resource": "cpu", "environment": "ml", "max_tries": 1, "created_at": 1.0, "state": state, "attempt": 1,
           "ended_at": 9.0, "started_at": 2.0} | more  # fmt: skip
    store = Store(Home(home))
    with store.transaction() as connection:
        store.insert(connection, row, None)
    attempt = Home(home).attempt(job_id, 1)
    attempt.path.mkdir(parents=True)
    return attempt.path


def make_book(home: Path, folder: Path, job_id: str) -> None:
    """A narration of two chapters whose second one is hostile, with sound that says what it is."""
    (folder / "passages").mkdir(parents=True)
    chapters = []
    for number in (1, 2):
        passages = []
        for place in range(6):
            key = f"{number}{place}".ljust(24, "0")
            text = HOSTILE if number == 2 and place == 0 else f"Passage {place} of chapter {number}. " * 4
            reasons = [f"the text is not heard {HOSTILE}"] if place == 3 else []
            passages.append({"key": key, "attempt": 1, "text": text, "said": text, "start_s": 1.0 + 4 * place,
                             "end_s": 4.5 + 4 * place, "rating": 4.1, "reasons": reasons})  # fmt: skip
            (folder / "passages" / f"{key}_1.wav").write_bytes(f"passage {key}".encode())
        title = f"Chapter {number}" + (HOSTILE if number == 2 else "")
        chapters.append({"number": number, "title": title, "start_s": 30.0 * (number - 1), "duration_s": 30.0,
                         "audio": f"{number:03d}.mp3", "passages": passages})  # fmt: skip
        (folder / f"{number:03d}.mp3").write_bytes(f"chapter {number}".encode())
    (folder / "book.json").write_text(json.dumps({"title": HOSTILE, "chapters": chapters}))
    result = {"folder": str(folder), "words": "", "audiobook": str(folder / "book.m4b"), "title": f"Birds {HOSTILE}",
              "n_chapters": 2, "n_passages": 12, "n_doubtful": 2, "duration_s": 60.0}  # fmt: skip
    params = {"model": "anna", "text": str(folder / "birds.txt"), "out_dir": str(folder)}
    add_job(home, job_id, "succeeded", params, result=json.dumps(result))


def make_takes(home: Path, job_id: str, model: str, n_texts: int = 4) -> Path:
    """Takes of a model by a finished job, whose sound says whose it is."""
    folder = home / "jobs" / job_id / "out"
    folder.mkdir(parents=True)
    wavs = [f"{number:03d}.wav" for number in range(n_texts)]
    lines = [{"audio": name, "text": f"Text {name}.", "model": model, "duration_s": 1.0} for name in wavs]
    (folder / "takes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in wavs:
        (folder / name).write_bytes(f"{model} {name}".encode())
    result = {"folder": str(folder), "takes": str(folder / "takes.jsonl"), "wavs": wavs}
    add_job(home, job_id, "succeeded", {"model": model}, result=json.dumps(result))
    return folder


def sound_of(name: str) -> bytes:
    """Return a file that begins as a WAV and says which it is."""
    return b"RIFF\0\0\0\0WAVE" + name.encode()


def make_dataset(folder: Path, n_clips: int = N_CLIPS) -> None:
    """Clips of 4 s, the second one hostile, and two rejections: one with a file and one without."""
    (folder / "clips").mkdir(parents=True)
    rows = []
    for number in range(n_clips):
        text = HOSTILE if number == 1 else f"This is the text of clip {number}."
        rows.append(
            Clip(audio=f"clips/{number:06d}.wav", text=text, speaker=HOSTILE if number == 1 else "anna", duration_s=4.0,
                 source=Source(recording="book.m4b", chapter=1 + number // 50, start_s=5.0 * number,
                               end_s=5.0 * number + 4), quality={"sim": 0.5 + number / 1000})
        )  # fmt: skip
    for row in (*rows[:3], Clip(audio="clips/rejected.wav", text="")):
        (folder / row.audio).write_bytes(sound_of(row.audio))
    there = Source(recording=f"z{HOSTILE}", start_s=1.0, end_s=3.0)
    rejections = [
        Rejection(source=rows[0].source.model_copy(update={"start_s": 900.0, "end_s": 903.0}), reason="noisy",
                  detail=HOSTILE, text="A noisy one.", audio="clips/rejected.wav"),
        Rejection(source=there, reason="not_in_text"),
    ]  # fmt: skip
    write_rows(folder / "rejections.jsonl", rejections)
    write_rows(folder / "train_manifest.jsonl", rows)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    home = tmp_path / "home"
    make_dataset(home / "datasets" / "anna")
    settings = Settings(home=home, envs=tmp_path / "envs", roots=(tmp_path, home), disk_reserve_bytes=1_000_000)
    keys = Keys()
    context = ToolContext(settings, Runner(settings))
    client = TestClient(web_app(context, keys, PORT), base_url=ORIGIN, raise_server_exceptions=False)
    with client:
        client.get(f"/{keys.first}")
        yield Browser(client, keys, context)
