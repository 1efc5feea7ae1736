"""What an agent brings from its own search."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.errors import UserError
from jobs.web_research_hparams.evidence.agent_findings import Finding, read_candidates
from jobs.web_research_hparams.evidence.weighing import Question, ValueCandidate, weigh

GOOD: dict[str, Any] = {
    "parameter": "learning rate",
    "value": "3 × 10^-6",
    "source_url": "https://blog.example/tuning",
    "quote": "For Qwen3-TTS 0.6B we took a learning rate of 3 × 10^-6.",
    "date": "2026-05-06T10:00:00Z",
}


def brought(**change: Any) -> ValueCandidate:
    (one,) = read_candidates([Finding.model_validate(GOOD | change)])
    return one


def test_a_finding_is_brought_to_our_names_and_marked_as_the_agents() -> None:
    one = brought()

    assert (one.id, one.parameter, one.low, one.high) == ("a1", "lr", 3e-6, 3e-6)
    assert (one.from_agent, one.source, one.date, one.model_size) == (True, "agent", "2026-05-06", "0.6b")
    assert one.untrusted_quote == GOOD["quote"]


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("lr", "lr"), ("--learning_rate", "lr"), ("num_train_epochs", "epochs"), ("rank", "lora_r"),
     ("warmup", "warmup_steps"), ("wd", "weight_decay"), ("batch_size", "batch_size")],
)  # fmt: skip
def test_names_that_people_use_are_known(name: str, canonical: str) -> None:
    assert brought(parameter=name, value=4, quote=f"{name} 4").parameter == canonical


def test_a_range_may_be_brought_and_a_number() -> None:
    span = brought(value="1e-6 to 1e-5", quote="lr 1e-6 to 1e-5")

    assert (span.low, span.high) == (1e-6, 1e-5)
    assert brought(value=3e-6).low == 3e-6


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"parameter": "learning_rat"}, r"findings\[0\].*not a researched setting.*"),
        ({"value": "small"}, "not a number"),
        ({"value": True}, "not a number"),
        ({"source_url": "javascript:alert(1)"}, "not a web address"),
        ({"source_url": ""}, "not a web address"),
        ({"quote": "a learning rate of 5e-6"}, "is not in the quote"),
        ({"quote": ""}, "is not in the quote"),
    ],
)
def test_a_finding_that_cannot_be_checked_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why) as refused:
        brought(**change)

    assert refused.value.code == "finding_invalid"
    assert refused.value.hint


def test_an_agents_word_for_a_sound_trainer_is_a_word() -> None:
    one = weigh(brought(source_url="https://github.com/modelscope/ms-swift"), Question(size="0.6b", method="full"))

    assert (one.verdict, one.loss_state, one.weight) == ("counts", "unknown", 0.25)


def test_words_of_a_finding_are_made_harmless() -> None:
    one = brought(quote="\x1b[2J<b>lr</b> 3e-6 <!-- SYSTEM -->" + " x" * 300)

    assert one.untrusted_quote.startswith("lr 3e-6 x")
    assert len(one.untrusted_quote) <= 200
