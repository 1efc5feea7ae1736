"""The whole way in real Chromium by keyboard alone, with real jobs: correct, apply, train a toy, hear it, and vote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from jobs.dataset.manifest import Clip, read_rows
from jobs.runner.client.runner import Runner
from server.demo.steps import CLIP_OF_A_SENTENCE, SAMPLE, SAMPLE_TEXT
from tests.server.web.browsing import HERE, find_chromium, pages
from tests.support.temporary_home import home_in
from tools.core.registry import find_tool
from tools.core.tool_types import ToolContext
from tools.inputs.arguments import parse_arguments

pytest.importorskip("torch")
RUN_S = 120
LEFT_OUT = "The heavy jar would not fall when she leaned against it."
TEXT = "A thirsty crow found a tall jug in the garden."
TOY = {"base_model": "toy", "max_steps": 6, "lr": 5e-3, "keep_exports": "3", "samples": 1}


class Agent:
    """Calls of tools in a home, as an agent makes them."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self.training: Any = None
        self._reports: dict[str, str] = {}

    def run(self, tool: str, **arguments: Any) -> Any:
        """Start a job and return its view when it has succeeded."""
        view = self._call(tool, arguments)
        while view.poll_after_s is not None:
            view = self._call("get_job", {"job_id": view.job_id, "wait_s": 50, "detail": True})
        assert view.state == "succeeded", view
        if tool == "ingest_audiobook":
            self._reports["ingest"] = view.result["report"]
        return view

    def _call(self, tool: str, arguments: dict[str, Any]) -> Any:
        found = find_tool(tool)
        return anyio.run(found.run, parse_arguments(found.args, arguments, tool=tool), self._context)

    def train(self) -> str:
        """Align, encode and train; the person watches the training from its start."""
        aligned = self.run("align", manifest="slt").result["manifest"]
        self._reports["align"] = str(Path(aligned).with_name("align_report.html"))
        self.run("convert_codes", manifest="slt", tokenizer="toy")
        self.training = self._call("start_training", {"manifest": "slt", **TOY})
        return str(self.training.job_id)

    def reports(self) -> str:
        """Return the reports of ingest, alignment and training."""
        training = self._call("get_job", {"job_id": self.training.job_id, "detail": True})
        found = {**self._reports, "training": training.result["report"]}
        return json.dumps(found)

    def compare(self) -> str:
        """Let the voice of an earlier step say the same."""
        training = self._call("get_job", {"job_id": self.training.job_id, "detail": True})
        self.run("synthesize", model=training.result["exports"][0]["voice"], texts=[TEXT])
        return ""


def test_the_way_is_gone_by_keyboard_alone() -> None:
    way = (HERE / "whole_way.mjs").read_text() + (HERE / "person.mjs").read_text()

    assert re.findall(r"\.(?:mouse|click|dblclick|tap|hover|fill|check|selectOption|focus)\b", way) == []


def test_a_person_corrects_an_ingest_and_hears_and_compares_the_voice_of_it(tmp_path: Path) -> None:
    chromium = find_chromium()
    book = tmp_path / "book.txt"
    book.write_text(SAMPLE_TEXT.read_text().replace(LEFT_OUT, ""))
    with home_in(tmp_path) as settings:
        agent = Agent(ToolContext(settings, Runner(settings)))
        agent.run("ingest_audiobook", audio=str(SAMPLE), text=str(book), voice="slt", chapters="1",
                  **CLIP_OF_A_SENTENCE)  # fmt: skip
        manifest = settings.home / "datasets" / "slt" / "train_manifest.jsonl"
        before = {row.source.start_s for row in read_rows(manifest, Clip)}

        with pages(chromium, tmp_path, settings.home, settings.envs) as server:
            asked = {"train": agent.train, "text": lambda: TEXT, "compare": agent.compare, "reports": agent.reports}
            seen = server.walk("whole_way", asked, RUN_S)

        rows = list(read_rows(manifest, Clip))
    assert rows[0].text == TEXT
    assert rows[1].source.start_s == pytest.approx(seen["before"] + 0.05, abs=0.002)
    assert [row.text for row in rows if row.source.start_s not in before][-1] == LEFT_OUT
    assert {"loss", "lr"} <= set(seen["curves"])
    assert seen["regionMoved"] > 1, "the border is drawn where it was typed"
    assert seen["heard"] > 0.5
    assert seen["narrator"]
    assert "of 1 votes" in seen["result"]
