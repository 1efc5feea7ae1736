"""One book with everything wrong with it, ingested once; and real narration in measured clips."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.dataset.quality.measure_clip import Measured, Task, measure
from jobs.ingest_audiobook.params import Params, Result
from jobs.ingest_audiobook.work import run
from jobs.settings import PROJECT_ROOT, Settings
from tests.jobs.conftest import RecordedContext
from tests.jobs.dataset.spoiled import Part, parts, write_book

PRINTING = PROJECT_ROOT.parent / "shared" / "data" / "printing"


@dataclass(frozen=True)
class Spoiled:
    """The book's chapters, and what came of it."""

    chapters: list[Part]
    dataset: Path
    result: Result

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Lines of a file of the dataset."""
        return [json.loads(line) for line in (self.dataset / name).read_text(encoding="utf-8").splitlines()]

    @property
    def report(self) -> dict[str, Any]:
        """``report.json``."""
        found: dict[str, Any] = json.loads((self.dataset / "report.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="session")
def printing_clips() -> dict[str, np.ndarray]:
    """Real narration, by id, 24 kHz."""
    if not (PRINTING / "clips").is_dir():
        pytest.skip("needs the LJ Speech excerpt in ../shared/data/printing")
    return {path.stem: read_clip(path, CLIP_RATE_HZ) for path in sorted((PRINTING / "clips").glob("*.flac"))}


@pytest.fixture(scope="session")
def spoiled(
    tmp_path_factory: pytest.TempPathFactory, printing_clips: object, fables: list[tuple[str, np.ndarray]]
) -> Spoiled:
    """Ingested with the text; about 25 CPU seconds."""
    folder = tmp_path_factory.mktemp("spoiled")
    chapters = parts(PRINTING, fables)
    settings = Settings(home=folder, envs=folder, roots=(folder,))
    context = RecordedContext(folder=folder, settings=settings)
    params = Params(**write_book(folder, chapters), voice="linda", out_dir=str(folder / "dataset"))
    return Spoiled(chapters, folder / "dataset", run(params, context))


@pytest.fixture(scope="session")
def narration(tmp_path_factory: pytest.TempPathFactory, printing_clips: dict[str, np.ndarray]) -> list[Measured]:
    """The real clips, measured with their texts."""
    folder = tmp_path_factory.mktemp("narration")
    lines = [json.loads(line) for line in (PRINTING / "utterances.jsonl").read_text().splitlines()]
    found = []
    for line in lines:
        path = folder / f"{line['id']}.wav"
        write_clip(path, printing_clips[line["id"]], CLIP_RATE_HZ)
        found.append(Measured.model_validate(measure(Task(path, line["text"], "english"))))
    return found
