"""The application over starlette's test client, on a home with a dataset whose names and texts are hostile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from jobs.dataset.manifest import Clip, Rejection, Source, write_rows
from jobs.runner.client.runner import Runner
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
        (folder / row.audio).write_bytes(f"sound of {row.audio}".encode())
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
