"""Training with changed copies of clips: each step learns a clip or a copy, validation the clips alone."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from jobs.runner.worker.context import Cancelled, JobContext
from jobs.training import work
from jobs.training.params import Params, Result

MakeParams = Callable[..., Params]
MakeContext = Callable[[], JobContext]
WriteManifest = Callable[[list[dict[str, Any]]], Path]


def with_copies(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of which those to train on have a copy with other codes, a frame longer."""
    made = copy.deepcopy(rows)
    for row in made:
        if row.get("split") != "validation":
            codes = [[(code + 1) % 64 for code in frame] for frame in [*row["audio_codes"], row["audio_codes"][-1]]]
            row["changed_copies"] = [{"change": "speed 0.980", "codes": codes}]
    return made


def losses(result: Result) -> tuple[list[float], list[float]]:
    report = json.loads((Path(result.voice).parent / "report.json").read_text())
    return [row[1] for row in report["losses"]["rows"]], [row[1] for row in report["validation"]["rows"]]


def test_steps_learn_copies_too_and_a_resumed_run_ends_with_the_same_bits(
    coded_rows: list[dict[str, Any]],
    write_manifest: WriteManifest,
    make_params: MakeParams,
    make_context: MakeContext,
    tmp_path: Path,
) -> None:
    plain = work.run(make_params(epochs=4, out_dir=str(tmp_path / "plain")), make_context())
    write_manifest(with_copies(coded_rows))
    whole = work.run(make_params(epochs=4, out_dir=str(tmp_path / "whole")), make_context())
    broken: Any = make_context()
    broken.cancel_after_progress = 2 + 3
    with pytest.raises(Cancelled):
        work.run(make_params(epochs=4, save_every_steps=2, out_dir=str(tmp_path / "broken")), broken)

    resumed = work.run(make_params(epochs=4, save_every_steps=2, out_dir=str(tmp_path / "broken")), make_context())

    first, second = (load_file(Path(result.voice) / "model.safetensors") for result in (whole, resumed))
    assert whole.steps == plain.steps  # an epoch is as long as without copies
    assert losses(whole)[0] != losses(plain)[0]
    assert all((first[name] == second[name]).all() for name in first)


def test_a_copy_with_codes_that_the_model_does_not_have_is_rejected_with_its_clip(
    coded_rows: list[dict[str, Any]],
    write_manifest: WriteManifest,
    make_params: MakeParams,
    make_context: MakeContext,
) -> None:
    rows = with_copies(coded_rows)
    rows[0]["changed_copies"][0]["codes"][0][0] = 64
    write_manifest(rows)

    result = work.run(make_params(max_bad_share=0.5, max_steps=1), make_context())

    assert result.rejected == {"codes_invalid": 1}
