"""The parts of ``./run.sh bench gpu``, tiny on a CPU, so that the command works where a GPU is at hand for minutes."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.gpu.parts import PARTS, contract, presets, sharing, training
from bench.gpu.support.case import Case, Outcome, Row, Setting, judge
from bench.gpu.support.page import PAGE, RECIPES, render_page
from bench.gpu.support.part import append, forget_failed, note_end, read_rows, run_part
from bench.gpu.support.results import collect, keep, rows_file, stored
from bench.gpu.support.table import render_memory, render_row
from bench.support.train_step import SIZES, Recipe
from jobs.codec_format import FRAMES_PER_SECOND
from jobs.settings import PROJECT_ROOT
from jobs.training.planning import memory

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
    assert "No GPU is measured yet" in page
    assert "| codes: batches of 8 | good | None differ. real_time 9 |" in page


def test_a_failed_case_is_measured_again_by_a_later_call_and_one_left_out_too(tmp_path: Path) -> None:
    rows = tmp_path / "codes.jsonl"
    for verdict in ("good", "failed", "left out", "measured"):
        append(rows, Row("codes", verdict, 1.0, Outcome(verdict, "Words.")))

    forget_failed(rows)

    assert [row["case"] for row in read_rows(rows)] == ["good", "measured"]


def test_a_process_that_the_system_ends_leaves_a_row_for_its_case(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end() -> Outcome:
        raise KeyboardInterrupt

    cases = [Case("one", lambda: judge(True, "It holds.")), Case("two", end)]
    monkeypatch.setattr(training, "cases", lambda _: iter(cases))
    rows = rows_file(tmp_path, "training")
    with pytest.raises(KeyboardInterrupt):
        run_part("training", setting, rows)

    assert note_end("training", rows, -9)
    assert not note_end("training", rows, -9)  # no case is being measured
    assert [(row["case"], row["verdict"]) for row in read_rows(rows)] == [("one", "good"), ("two", "failed")]
    assert "memory ran out" in str(read_rows(rows)[1]["says"])


@pytest.mark.parametrize(("error", "verdict"), [(torch.OutOfMemoryError("full"), "left out"), (SystemExit, "failed")])
def test_after_an_error_on_a_gpu_another_process_goes_on(
    error: BaseException, verdict: str, setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Outcome:
        raise error

    cases = [Case("broken", broken), Case("next", lambda: judge(True, "It holds."))]
    monkeypatch.setattr(training, "cases", lambda _: iter(cases))
    on_gpu, rows = replace(setting, device="cuda:0"), rows_file(tmp_path, "training")

    goes_on = run_part("training", on_gpu, rows)

    assert goes_on == (verdict == "left out")
    assert read_rows(rows)[0]["verdict"] == verdict
    assert run_part("training", on_gpu, rows)
    assert [row["case"] for row in read_rows(rows)] == ["broken", "next"]


def test_what_does_not_fit_the_free_memory_is_left_out(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "free_memory", lambda _: 1e9)
    monkeypatch.setattr(presets, "free_memory", lambda _: 1e9)
    recipe = Recipe(size="tiny", accumulation=1)

    assert training.measure_steps(setting, recipe).says.endswith("1.0 GB are free.")
    assert next(iter(presets.cases(setting))).measure().verdict == "left out"


def test_the_table_fits_80_columns_and_has_the_estimate_beside_the_peak() -> None:
    figures = {"peak_gb": 8.561, "estimated_gb": 8.0, "ratio": 1.07, "frames_per_s": 3.2}
    row = {"part": "training", "case": "1.7b full, paged 8-bit, recomputed, 4 clips of 10 s", "verdict": "good",
           "says": "A sentence that is long enough for two lines of the table. " * 2, "figures": figures}  # fmt: skip

    shown = [*render_row(row).splitlines(), *render_memory([row]).splitlines()]

    assert max(map(len, shown)) <= 80
    assert shown[-1].split()[-4:] == ["8.56", "8.00", "1.07", "3.2"]
    assert render_memory([{**row, "figures": {}}]) == ""


def test_without_a_gpu_the_command_says_what_to_call_and_lists_the_cases(tmp_path: Path) -> None:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench.gpu.gpu", "--out", str(tmp_path), *words]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)

    refused, listed = call(), call("--device", "cpu", "--dry-run", "--only", "presets")

    assert refused.returncode == 2
    assert "--device cpu --tiny" in refused.stderr
    assert "presets: 1.7b on 16gb" in listed.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("card", "optimiser", "gb"), [("8gb", "adamw", 6.7), ("16gb", "paged_adamw_8bit", 14.2)])
def test_the_page_states_what_the_presets_of_the_1_7b_take_by_the_estimate(
    card: str, optimiser: Any, gb: float, setting: Setting
) -> None:
    recipe = presets.recipe_of(setting, "1.7b", card)
    wanted = memory.Recipe(
        method=recipe.method, optimizer=optimiser, gradient_checkpointing=recipe.checkpointing, freeze=recipe.freeze
    )
    frames = round(presets.CLIP_S * FRAMES_PER_SECOND) * recipe.batch_size
    largest = memory.MicroBatchSize(recipe.batch_size, training.longest_of(recipe), frames, frames)

    found = memory.estimate_step(SIZES["1.7b"], wanted, largest, "cuda")

    assert round(found.peak / 1e9, 1) == gb
    assert f"{gb} GB with `--preset {card}`" in RECIPES


# Each use of torch's memory of a GPU, with the arguments as the parts write them.
CUDA_CALLS: list[tuple[Any, tuple[Any, ...]]] = [
    (torch.cuda.init, ()), (torch.cuda.empty_cache, ()), (torch.cuda.synchronize, ()),
    (torch.cuda.reset_peak_memory_stats, ("cuda:0",)), (torch.cuda.max_memory_allocated, ("cuda:0",)),
    (torch.cuda.memory_reserved, ("cuda:0",)), (torch.cuda.mem_get_info, ("cuda:0",)),
    (torch.cuda.get_device_properties, ("cuda:0",)), (torch.cuda.set_per_process_memory_fraction, (0.5, "cuda:0")),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments"), CUDA_CALLS, ids=lambda given: getattr(given, "__name__", ""))
def test_torch_has_each_call_of_a_gpu(function: Any, arguments: tuple[Any, ...]) -> None:
    inspect.signature(function).bind(*arguments)


def test_every_call_of_torch_cuda_is_among_those_checked() -> None:
    sources = [path.read_text() for path in (PROJECT_ROOT / "bench" / "gpu").rglob("*.py")]
    used = {name for source in sources for name in re.findall(r"torch\.cuda\.(\w+)\(", source)}

    assert used - {"is_available"} == {function.__name__ for function, _ in CUDA_CALLS}


def test_the_page_of_the_documentation_shows_the_stored_results() -> None:
    assert PAGE.read_text() == render_page(stored())
