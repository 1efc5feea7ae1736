"""Starting points: what they rest on, and that they fit the run and the GPU."""

from __future__ import annotations

import itertools

import pytest

from jobs.training.params import DEFAULT_LR, Params
from jobs.tune_hparams.params import SOURCE
from jobs.tune_hparams.search_space import Range, check_space
from jobs.web_research_hparams.evidence.rules import SettingsPoint, find_breaches
from jobs.web_research_hparams.knowledge import load_knowledge
from jobs.web_research_hparams.recommend import Method, ModelSize, Recommendation, RecommendationRequest, recommend
from tools.research.training_plan import plan_for


def recommended(**request: object) -> Recommendation:
    asked = RecommendationRequest.model_validate(request)
    return recommend(asked, load_knowledge(), plan_for(asked))


ALL = [
    {"size": size, "method": method, "minutes_of_audio": minutes, "gpu_memory_gb": gpu}
    for size, method, minutes, gpu in itertools.product(
        ("0.6b", "1.7b"), ("full", "lora"), (None, 0.1, 3, 30, 600), (None, 8, 16, 80)
    )
]


@pytest.mark.parametrize("request_", ALL)
def test_every_recommendation_is_accepted_by_start_training_and_lies_in_its_own_limits(
    request_: dict[str, object],
) -> None:
    made = recommended(**request_)

    Params.model_validate({"manifest": "m", "method": request_["method"], **made.settings})
    for name, (low, high) in made.limits.items():
        value = made.settings[name] * (made.settings["gradient_accumulation_steps"] if name == "batch_size" else 1)
        assert low <= value <= high, name


@pytest.mark.parametrize("request_", ALL)
def test_its_ranges_and_points_are_accepted_by_tune_hparams(request_: dict[str, object]) -> None:
    made = recommended(**request_)

    ranges = [Range.model_validate(found) for found in made.ranges]
    check_space(ranges, {"method": str(request_["method"])}, {"manifest": "m"})
    assert 3 <= len(made.starting_points) == len(made.points_because)
    for point in made.starting_points:
        assert point.keys() == {found.name for found in ranges} | {SOURCE}
        assert all(found.holds(point[found.name]) for found in ranges)


@pytest.mark.parametrize("request_", ALL)
def test_no_rule_rejects_what_is_recommended(request_: dict[str, object]) -> None:
    made, request = recommended(**request_), RecommendationRequest.model_validate(request_)

    for values in [made.settings, *made.starting_points]:
        point = SettingsPoint(values, request.size, request.method, made.n_clips_assumed, None, request.gpu_memory_gb)
        assert [found.rule.id for found in find_breaches(point) if found.severity == "reject"] == []


def test_training_and_research_have_the_same_default_learning_rate() -> None:
    for method in ("full", "lora"):
        assert recommended(method=method).settings["lr"] == DEFAULT_LR[method]


@pytest.mark.parametrize("request_", ALL)
def test_every_cited_fact_exists_and_fits_the_method(request_: dict[str, object]) -> None:
    by_id = {fact.id: fact for fact in load_knowledge()}

    for ids in recommended(**request_).because.values():
        assert ids
        assert all(fact in by_id for fact in ids)


def test_the_full_start_is_the_best_recipe_measured_under_a_sound_loss() -> None:
    made = recommended(method="full", minutes_of_audio=300)

    assert (made.settings["lr"], made.settings["epochs"], made.settings["warmup_steps"]) == (5e-6, 1, 50)
    assert "full-recipe" in made.because["lr"]
    assert made.limits["lr"] == [1e-6, 1e-5]


def test_a_fact_that_is_not_in_the_base_is_not_cited() -> None:
    made = recommend(RecommendationRequest(), [fact for fact in load_knowledge() if fact.id != "full-warmup"])

    assert made.because["warmup_steps"] == []


@pytest.mark.parametrize(("minutes", "warmup", "steps"), [(1, 0, 6), (10, 5, 50), (60, 30, 300), (600, 50, 1500)])
def test_the_warm_up_is_at_most_a_tenth_of_the_run_and_at_most_fifty_steps(
    minutes: float, warmup: int, steps: int
) -> None:
    made = recommended(minutes_of_audio=minutes)

    assert (made.settings["warmup_steps"], made.steps) == (warmup, steps)


@pytest.mark.parametrize(("minutes", "epochs"), [(3, 6), (12, 4), (20, 3), (600, 2)])
def test_lora_epochs_follow_the_number_of_clips(minutes: float, epochs: int) -> None:
    assert recommended(method="lora", minutes_of_audio=minutes).settings["epochs"] == epochs


def test_lora_says_that_no_results_with_a_correct_loss_are_known() -> None:
    made = recommended(method="lora", size="1.7b", minutes_of_audio=30)

    assert "lora-no-correct" in made.because["lr"]
    assert any("No LoRA result" in caution for caution in made.cautions)
    assert (made.settings["lr"], made.settings["lora_alpha"]) == (1e-4, 32)  # at one alpha the rate fits every rank


def test_a_smaller_gpu_gets_smaller_settings_until_nothing_fits() -> None:
    size: ModelSize = "1.7b"
    method: Method = "full"
    large, medium, small = (recommended(size=size, method=method, gpu_memory_gb=gb) for gb in (80, 24, 8))

    assert not large.settings["gradient_checkpointing"]
    assert (medium.settings["optimizer"], medium.settings["gradient_checkpointing"]) == ("adamw_8bit", True)
    assert large.memory_gb is not None
    assert medium.memory_gb is not None
    assert large.memory_gb > medium.memory_gb
    assert medium.memory_gb <= 24 * 1.0737
    assert any("does not fit into 8 GB" in caution for caution in small.cautions)
    assert not any("does not fit" in caution for made in (large, medium) for caution in made.cautions)


def test_little_audio_is_cautioned() -> None:
    made = recommended(minutes_of_audio=2)

    assert any("Under 10 minutes" in caution for caution in made.cautions)
    assert any("optimiser steps" in caution for caution in made.cautions)


def test_where_the_evidence_differs_the_points_do_too() -> None:
    full, lora = recommended(method="full"), recommended(method="lora", size="1.7b")

    assert [point["lr"] for point in full.starting_points] == [5e-6, 1e-5, 1e-6]
    points = [(point["lr"], point["lora_r"]) for point in lora.starting_points]
    assert points == [(1e-4, 32), (1e-6, 64), (2e-6, 16), (3e-5, 16), (3e-4, 16)]
    assert {3e-5, 1e-4, 3e-4} <= {lr for lr, _ in points}, "those that the cautions name"
    assert all(full.points_because + lora.points_because)
