"""The plans of a refinement and a search count all of their trainings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.refine_voice.dry_run import build_round_training, plan
from jobs.refine_voice.params import Params
from jobs.settings import Settings
from jobs.training.params import TOY_LR
from jobs.tune_hparams.dry_run import plan as plan_search
from jobs.tune_hparams.params import Params as Search


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    """Forty coded clips of eight seconds, the last four held out."""
    row = {"audio": "a.wav", "text": "A line.", "audio_codes": [[0] * 16] * 100, "ref_audio": "a.wav"}
    rows = [
        row | {"audio": f"{number}.wav", "speaker": "anna", "split": "validation" if number >= 36 else "train"}
        for number in range(40)
    ]
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return str(path)


def settings_of(folder: Path) -> Settings:
    return Settings(home=folder / "home", envs=folder, roots=(folder,))


def test_a_refinement_takes_its_rounds_with_speaking_and_rating(manifest: str, tmp_path: Path) -> None:
    one, three = (
        plan(Params(manifest=manifest, base_model="toy", max_iterations=n), settings_of(tmp_path)) for n in (1, 3)
    )

    a_round = one["a_round"]
    assert one["time"]["about_min"] > a_round["time"]["about_min"] + 1  # six takes are spoken and rated
    assert three["time"]["about_min"] == pytest.approx(3 * one["time"]["about_min"], abs=0.2)
    assert three["disk"]["need_gb"] == pytest.approx(3 * a_round["disk"]["need_gb"], abs=0.01)
    assert three["memory"]["peak_gb"] == a_round["memory"]["peak_gb"]


def test_a_search_takes_all_its_trials_and_keeps_one_voice(manifest: str, tmp_path: Path) -> None:
    ranges = [{"name": "lr", "low": 1e-6, "high": 1e-4, "log": True}]
    params = Search.model_validate({"manifest": manifest, "base_model": "toy", "n_trials": 6, "ranges": ranges})

    found = plan_search(params, settings_of(tmp_path))

    trial = found["a_trial"]
    assert found["time"]["about_min"] == pytest.approx(6 * trial["time"]["about_min"], abs=0.1)
    assert found["disk"]["need_gb"] == pytest.approx(2 * trial["disk"]["need_gb"], abs=0.01)


def test_a_search_over_data_that_hold_out_nothing_is_refused_before_it_starts(manifest: str, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text("".join(Path(manifest).read_text().splitlines(keepends=True)[:10]))

    with pytest.raises(UserError, match="no speaker has 20 clips") as refused:
        plan_search(Search(manifest=str(few), base_model="toy"), settings_of(tmp_path))

    assert refused.value.code == "nothing_held_out"


def test_later_rounds_of_a_toy_learn_at_the_rate_of_the_first(manifest: str, tmp_path: Path) -> None:
    params = Params(manifest=manifest, base_model="toy")

    later = build_round_training(params, settings_of(tmp_path), iteration=2, base_model="/voices/round-1")

    assert later.lr == TOY_LR["full"]
