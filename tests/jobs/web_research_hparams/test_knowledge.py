"""The shipped facts: every one has what makes it checkable."""

from __future__ import annotations

import pytest

from jobs.web_research_hparams.evidence.rules import RULES, Rule
from jobs.web_research_hparams.knowledge import LOSS_STATES, load_knowledge, select_relevant


def test_every_fact_has_an_id_of_its_own_a_source_and_a_meaning_of_its_loss() -> None:
    facts = load_knowledge()

    assert len(facts) >= 48
    assert len({fact.id for fact in facts}) == len(facts)
    assert all(fact.source and fact.statement.endswith(".") and fact.loss_state in LOSS_STATES for fact in facts)


def test_facts_for_one_model_and_method_leave_the_others_out() -> None:
    facts = select_relevant(load_knowledge(), size="0.6b", method="full")

    assert {fact.id for fact in facts} >= {"full-recipe", "full-loss-06b", "runaway-rate"}
    assert not {fact.id for fact in facts} & {"full-memory-17b", "lora-67-voices"}


def test_without_a_question_sound_losses_come_first_and_misaligned_ones_last() -> None:
    states = [fact.loss_state for fact in select_relevant(load_knowledge(), size="1.7b", method="full")]

    assert states[0] == "correct"
    assert states[-1] == "misaligned"
    assert states.index("misaligned") > max(i for i, state in enumerate(states) if state == "correct")


def test_a_question_brings_its_facts_to_the_front() -> None:
    memory = select_relevant(load_knowledge(), size="1.7b", method="full", question="How much memory does Adam need?")
    warmup = select_relevant(load_knowledge(), size="1.7b", method="full", question="warm-up steps?")

    assert memory[0].id == "full-memory-17b"
    assert "full-warmup" in [fact.id for fact in warmup[:2]]


def test_facts_a_recommendation_rests_on_come_before_others() -> None:
    facts = select_relevant(load_knowledge(), size="1.7b", method="lora", first=["lora-all-projections"])

    assert facts[0].id == "lora-all-projections"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_has_a_sentence_what_to_do_and_facts_that_exist(rule: Rule) -> None:
    assert rule.sentence.endswith(".")
    assert rule.advice.endswith(".")
    assert set(rule.facts) <= {fact.id for fact in load_knowledge()}
    assert rule.facts or rule.id == "not-a-setting"


@pytest.mark.parametrize(
    ("fact", "name", "value", "state"),
    [
        ("full-recipe", "lr", 5e-6, "correct"),
        ("full-lr-too-high", "cer_long_text", [0.23, 0.31], "correct"),
        ("full-data-enough", "clips", 1800, "correct"),
        ("full-warmup", "warmup_steps", 50, "correct"),
        ("full-freeze-predictor", "runaway_predictor_frozen", 0.12, "correct"),
        ("full-memory-17b", "peak_gb", 13.98, "correct"),
        ("swift-preset", "lr", 1e-5, "correct"),
        ("official-readme", "lr", [2e-6, 2e-5], "misaligned"),
        ("easy-presets", "lr_0.6b", 1e-7, "misaligned"),
        ("by-minutes", "batch", [2, 4, 8, 12], "misaligned"),
        ("by-others", "hours", 103, "misaligned"),
        ("t4-fp32", "clips", 141, "misaligned"),
        ("sim-below-zero-shot", "sim_loss", [0.03, 0.06], "misaligned"),
        ("lora-67-voices", "lora_r", 64, "code_predictor_labels_wrong"),
        ("lora-runaway", "lr_bad", 5e-6, "code_predictor_labels_wrong"),
        ("lora-by-clips", "overfit_above", 600, "code_predictor_labels_wrong"),
        ("lora-all-projections", "scale", [0.3, 0.35], "code_predictor_labels_wrong"),
        ("lora-ablation", "lr", [5e-5, 3e-5], "misaligned"),
        ("capacity-lora", "energy_share", [0.12, 0.27], "not_about_loss"),
        ("no-transfer", "f5_warmup_steps", 20_000, "not_about_loss"),
    ],
)
def test_a_figure_is_there_with_the_loss_it_was_measured_under(fact: str, name: str, value: object, state: str) -> None:
    (found,) = [one for one in load_knowledge() if one.id == fact]

    assert (found.values[name], found.loss_state) == (value, state)
