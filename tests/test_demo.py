"""The main job end to end, as the README's first command runs it: eight real jobs through the real MCP server."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 900


def demo(home: Path) -> tuple[int, dict[str, Any], str]:
    environment = {**os.environ, "TTS_TRAIN_HOME": str(home)}
    answer = subprocess.run(
        [ROOT / "run.sh", "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment,
        check=False,
    )
    assert answer.stdout, answer.stderr[-3000:]
    return answer.returncode, json.loads(answer.stdout), answer.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, end_processes_of: Callable[[Path], None]) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo-home")
    yield folder
    end_processes_of(folder)


@pytest.fixture(scope="module")
def first(home: Path) -> tuple[int, dict[str, Any], str]:
    return demo(home)


def test_the_demo_trains_a_voice_that_is_heard(first: tuple[int, dict[str, Any], str]) -> None:
    code, report, progress = first

    assert code == 0, progress[-3000:]
    assert report["n_text_heard"] >= 6
    assert [step["state"] for step in report["steps"]] == ["succeeded"] * 8
    assert all(Path(take["path"]).stat().st_size > 10_000 for take in report["takes"])


def test_a_second_run_reuses_what_is_done(first: tuple[int, dict[str, Any], str], home: Path) -> None:
    code, report, _ = demo(home)

    assert code == 0
    assert [step["reused"] for step in report["steps"][:7]] == [True] * 7
    assert report["total_s"] < first[1]["total_s"] / 2
