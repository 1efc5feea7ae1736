"""What is known about training Qwen3-TTS voices: facts with source, date, and the loss they were measured under.

Most public trainers learn from misaligned labels, so that their advice on learning rates is about another problem
(``docs/architecture.md``, the training contract). That is why every fact says which loss it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ModelSize = Literal["0.6b", "1.7b"]
Method = Literal["full", "lora"]
LossState = Literal["correct", "code_predictor_labels_wrong", "misaligned", "not_about_loss", "unknown"]

LOSS_STATES: dict[LossState, str] = {
    "correct": "Trained as it generates: usable as it is.",
    "code_predictor_labels_wrong": "Books 1 to 15 learn a neighbour's label: a hint.",
    "misaligned": "Learns the frame after next: do not copy its rates.",
    "not_about_loss": "Does not depend on the loss.",
    "unknown": "Nobody can tell which loss was used.",
}
_TRUST: dict[LossState, int] = {
    "correct": 4, "not_about_loss": 3, "code_predictor_labels_wrong": 2, "unknown": 1, "misaligned": 0,
}  # fmt: skip


class Fact(BaseModel):
    """One fact of the knowledge base."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    topic: Literal[
        "learning_rate", "epochs", "batch", "warmup", "lora", "freezing", "memory", "data", "generation", "loss",
        "failure", "evaluation",
    ]  # fmt: skip
    statement: str
    values: dict[str, float | list[float]] = Field(description="Numbers; two are a range. Rates and shares as such.")
    models: list[ModelSize] = Field(description="Sizes it was seen with.")
    method: Literal["full", "lora", "any"]
    context: str = ""
    source: str = Field(description="owner/repo:path, owner/repo#issue.")
    date: str = Field(pattern=r"^20\d\d(-\d\d)?$", description="Of the source, or when it was read.")
    loss_state: LossState
    evidence: Literal["measured", "reported", "read_in_code"] = Field(
        description="measured: with figures and method; reported: somebody's word; read_in_code: a default."
    )
    note: str = ""


@cache
def load_knowledge() -> tuple[Fact, ...]:
    """All facts of the shipped knowledge base."""
    lines = Path(__file__).with_name("knowledge.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Fact.model_validate_json(line) for line in lines)


def select_relevant(
    facts: Iterable[Fact], *, size: ModelSize, method: Method, question: str = "", first: Sequence[str] = ()
) -> list[Fact]:
    """The facts for a model and a method, most useful first.

    Order: what answers the question's words, then ``first`` (ids that a recommendation rests on), then what was
    measured under a sound loss.
    """
    asked = _stems(question)

    def rank(fact: Fact) -> tuple[int, int, int]:
        n_asked = len(asked & _stems(f"{fact.topic} {fact.statement} {fact.context} {fact.note}"))
        return (-n_asked, 0 if fact.id in first else 1, -_TRUST[fact.loss_state])

    fitting = [fact for fact in facts if size in fact.models and fact.method in (method, "any")]
    return sorted(fitting, key=rank)


# Words that every question about training has.
_EMPTY_WORDS = "the and for what which how should with use many much does are training train voice qwen tts"


def _stems(text: str) -> frozenset[str]:
    """Words without their endings, roughly: ``rates`` and ``rate`` are one."""
    words = re.findall(r"[a-z0-9]{3,}", text.lower().replace("_", " "))
    return frozenset(word[:6].rstrip("s") for word in words if word not in _EMPTY_WORDS.split())
