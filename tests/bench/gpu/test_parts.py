"""The parts of ``./run.sh bench gpu``, tiny on a CPU, so that the command works where a GPU is at hand for minutes."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.gpu.parts import PARTS, contract, sharing, training
from bench.gpu.support.case import Case, Outcome, Setting, judge
from bench.gpu.support.page import PAGE, render_page
from bench.gpu.support.part import read_rows, run_part
from bench.gpu.support.results import collect, keep, rows_file, stored
from bench.support.train_step import Recipe

OF_THREE_PROCESSES = "two trainings at once"  # each imports torch; ``train``, which they call, is tested alone


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    torch.set_num_threads(1)
    return Setting("cpu", tiny=True, folder=tmp_path_factory.mktemp("scratch"))


@pytest.mark.parametrize("part", PARTS)
def test_every_part_runs_and_nothing_is_wrong(part: str, setting: Setting) -> None:
    cases = list(importlib.import_module(f"bench.gpu.parts.{part}").cases(setting))

    found = {case.name: case.measure() for case in cases if case.name != OF_THREE_PROCESSES}

    assert len({case.name for case in cases}) == len(cases)  # or a row would hide another
    assert {name: each for name, each in found.items() if each.verdict in ("wrong", "failed")} == {}
    assert part == "upstream" or any(each.verdict in ("good", "measured") for each in found.values())
    json.dumps([each.figures for each in found.values()])


def test_a_wrong_shift_is_found(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(*arguments: Any, **named: Any) -> Any:
        batch = collate(*arguments, **named)
        return replace(batch, codes=batch.codes.roll(1, 0))

    collate = contract.collate
    monkeypatch.setattr(contract, "collate", shifted)
    case = next(iter(contract.cases(setting)))

    assert case.measure().verdict == "wrong"


def test_a_training_of_several_at_once_reports_its_speed_and_peak() -> None:
    found = sharing.train("cpu", "tiny")

    assert found["frames_per_s"] > 0
    assert 0.3 < found["peak_gb"] < 4


def test_more_memory_than_estimated_is_found(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    estimate = training.estimate_of
    monkeypatch.setattr(
        training,
        "estimate_of",
        lambda *given: replace(
            found := estimate(*given), parts={name: size for name, size in found.parts.items() if name == "process"}
        ),
    )

    assert training.measure_steps(setting, Recipe(size="tiny", accumulation=1, batch_size=16)).verdict == "wrong"


def test_a_row_is_kept_as_it_ends_and_not_measured_again(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    def case(name: str) -> Case:
        def measure() -> Outcome:
            measured.append(name)
            if name == "broken" and measured.count(name) == 1:
                raise ValueError("no")
            return judge(True, "It holds.", n=len(measured))

        return Case(name, measure)

    monkeypatch.setattr(training, "cases", lambda _: iter([case("one"), case("broken"), case("three")]))
    rows = rows_file(tmp_path, "training")
    run_part("training", setting, rows)
    first = read_rows(rows)
    rows.write_text(rows.read_text()[:-20])  # killed while it wrote the last row

    run_part("training", setting, rows)

    assert [(row["case"], row["verdict"]) for row in first] == [
        ("one", "good"),
        ("broken", "failed"),
        ("three", "good"),
    ]
    assert measured == ["one", "broken", "three", "three"]
    assert [row["case"] for row in read_rows(rows)] == ["one", "broken", "three"]


def test_a_result_is_stored_and_shown_on_the_page(setting: Setting, tmp_path: Path) -> None:
    row = {"part": "codes", "case": "batches of 8", "seconds": 1.0, **judge(True, "None differ.", real_time=9).__dict__}
    rows_file(tmp_path, "codes").write_text(json.dumps(row) + "\n")

    keep(collect(tmp_path, setting), tmp_path / "results")
    page = render_page(stored(tmp_path / "results"))

    assert "## the CPU" in page
    assert "| codes: batches of 8 | good | None differ. real_time 9 |" in page


def test_the_page_of_the_documentation_shows_the_stored_results() -> None:
    assert PAGE.read_text() == render_page(stored())
