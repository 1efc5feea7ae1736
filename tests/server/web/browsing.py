"""Real Chromium for the tests of the pages: its installation, a server of its own, and a person's way through it.

Playwright and axe-core come from npm, pinned by ``browser/package-lock.json``, into ``.tools/browser``; Chromium is the
system's. Without them the tests skip.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jobs.settings import PROJECT_ROOT
from tests.support.npm_packages import install_packages

HERE = Path(__file__).resolve().parent / "browser"
TOOLS = PROJECT_ROOT / ".tools" / "browser"
PICTURES = PROJECT_ROOT / "var" / "pictures"
ANSWER_S = 30
GOLDEN = Path(__file__).resolve().parent / "pictures"
SMALLER, MOST_DIFFERENCE, MOST_DIFFERING = 4, 40.0, 0.01  # of 255; of the small picture's points
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """Return a browser, with what drives it installed; skip the test where there is none."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None or shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium), Node and npm")
    install_packages(HERE, TOOLS)
    return found


@dataclass(frozen=True)
class Pages:
    """A server of the pages.

    Attributes:
        process: of the server.
        address: first one, with the key.
        chromium: that opens it.
    """

    process: subprocess.Popen[str]
    address: str
    chromium: str

    def walk(self, way: str, agent: Mapping[str, Callable[[], str]], limit_s: float) -> dict[str, Any]:
        """Run a way of ``browser/`` and return what was seen.

        Args:
            way: name of the script.
            agent: what the script may ask for, by the word; the answer goes back to it.
            limit_s: for the end of the script, after the last word.
        """
        PICTURES.mkdir(parents=True, exist_ok=True)
        person = subprocess.Popen(
            ["node", str(HERE / f"{way}.mjs"), self.address, str(PICTURES), self.chromium],
            cwd=TOOLS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            while (word := person.stdout.readline().strip()) in agent:
                person.stdin.write(agent[word]() + "\n")
                person.stdin.flush()
            _, said = person.communicate(timeout=limit_s)
            assert person.returncode == 0, said
        finally:
            person.kill()
        seen: dict[str, Any] = json.loads(word)
        print(seen["milliseconds"], seen["shifts"])  # noqa: T201
        # no script of a text ran, and no policy was broken
        assert seen["complaints"] == [], seen["complaints"]
        assert (seen["wide"], seen["axe"], seen["shifts"]) == ([], {}, {})
        return seen


@contextmanager
def pages(chromium: str, folder: Path, home: Path, envs: Path) -> Iterator[Pages]:
    """Serve the pages of a home until the end of the block."""
    own = {"TTS_TRAIN_HOME": str(home), "TTS_TRAIN_CWD": str(folder), "TTS_TRAIN_ENVS": str(envs)}
    server = subprocess.Popen(
        [sys.executable, "-m", "server.cli", "web"],
        env=os.environ | own | {"PYTHONPATH": str(PROJECT_ROOT), "PYTHONSAFEPATH": "1"},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield Pages(server, server.stderr.readline().split()[1], chromium)
    finally:
        server.terminate()
        server.wait(ANSWER_S)


def compare_pictures(names: Sequence[str]) -> dict[str, float]:
    """Return the pictures of a walk that differ from the golden ones, with the share of what differs.

    Both are made smaller first, so that the edges of letters do not count. ``UPDATE_PICTURES=1`` makes the golden ones
    anew; then look at each of them. Where text has another font than theirs, the test is skipped.
    """
    font = subprocess.run(["fc-match", "system-ui", "family"], capture_output=True, text=True, check=False).stdout
    if "UPDATE_PICTURES" in os.environ:
        GOLDEN.mkdir(exist_ok=True)
        for name in names:
            Image.open(PICTURES / f"{name}.png").convert("RGB").quantize(24).save(GOLDEN / f"{name}.png", optimize=True)
        (GOLDEN / "font.txt").write_text(font)
    if (GOLDEN / "font.txt").read_text() != font:
        pytest.skip(f"the golden pictures are of another font than {font.strip()}")
    differing = {}
    for name in names:
        now, golden = _small(PICTURES / f"{name}.png"), _small(GOLDEN / f"{name}.png")
        share = 1.0
        if now.shape == golden.shape:
            share = float((np.abs(now - golden).max(axis=2) > MOST_DIFFERENCE).mean())
        if share > MOST_DIFFERING:
            differing[name] = share
    return differing


def _small(path: Path) -> NDArray[np.float32]:
    picture = Image.open(path).convert("RGB")
    return np.asarray(picture.reduce(SMALLER), np.float32)
