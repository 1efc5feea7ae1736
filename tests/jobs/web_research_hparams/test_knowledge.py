"""The shipped facts: every one has what makes it checkable."""

from __future__ import annotations

from jobs.web_research_hparams.knowledge import LOSS_STATES, knowledge, relevant


def test_every_fact_has_an_id_of_its_own_a_source_and_a_meaning_of_its_loss() -> None:
    facts = knowledge()

    assert len(facts) >= 40
    assert len({fact.id for fact in facts}) == len(facts)
    assert all(fact.source and fact.statement.endswith(".") and fact.loss_state in LOSS_STATES for fact in facts)


def test_facts_for_one_model_and_method_leave_the_others_out() -> None:
    facts = relevant(knowledge(), size="0.6b", method="full")

    assert {fact.id for fact in facts} >= {"full-recipe", "full-loss-06b", "runaway-rate"}
    assert not {fact.id for fact in facts} & {"full-memory-17b", "lora-67-voices"}


def test_without_a_question_sound_losses_come_first_and_misaligned_ones_last() -> None:
    states = [fact.loss_state for fact in relevant(knowledge(), size="1.7b", method="full")]

    assert states[0] == "correct"
    assert states[-1] == "misaligned"
    assert states.index("misaligned") > max(i for i, state in enumerate(states) if state == "correct")


def test_a_question_brings_its_facts_to_the_front() -> None:
    memory = relevant(knowledge(), size="1.7b", method="full", question="How much memory does Adam need?")
    warmup = relevant(knowledge(), size="1.7b", method="full", question="warm-up steps?")

    assert memory[0].id == "full-memory-17b"
    assert "full-warmup" in [fact.id for fact in warmup[:2]]


def test_facts_a_recommendation_rests_on_come_before_others() -> None:
    facts = relevant(knowledge(), size="1.7b", method="lora", first=["lora-all-projections"])

    assert facts[0].id == "lora-all-projections"
