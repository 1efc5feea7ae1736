"""Knowledge base on training Qwen3-TTS voices: facts with source, date and the loss they were measured under.

Most public trainers learn from misaligned labels, so their learning rates do not apply to a correct loss
(``docs/architecture.md``, the training contract). Every fact therefore states its loss.
"""

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
    "correct": "Labels match generation: usable as it is.",
    "code_predictor_labels_wrong": "Codebooks 1 to 15 learn a neighbour's label: a hint.",
    "misaligned": "Learns the frame after next: do not copy its rates.",
    "not_about_loss": "Does not depend on the loss.",
    "unknown": "The loss is not known.",
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
        description="measured: with figures and method; reported: a claim; read_in_code: a default."
    )
    note: str = ""


@cache
def load_knowledge() -> tuple[Fact, ...]:
    """Read all facts of the bundled knowledge base."""
    lines = Path(__file__).with_name("knowledge.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Fact.model_validate_json(line) for line in lines)


def select_relevant(
    facts: Iterable[Fact], *, size: ModelSize, method: Method, question: str = "", first: Sequence[str] = ()
) -> list[Fact]:
    """Select the facts for a model and a method, most useful first.

    Order: matches of the question's words, then ``first`` (ids that a recommendation rests on), then facts measured
    under a correct loss.
    """
    asked = _stems(question)

    def rank(fact: Fact) -> tuple[int, int, int]:
        n_asked = len(asked & _stems(f"{fact.topic} {fact.statement} {fact.context} {fact.note}"))
        return (-n_asked, 0 if fact.id in first else 1, -_TRUST[fact.loss_state])

    fitting = [fact for fact in facts if size in fact.models and fact.method in (method, "any")]
    return sorted(fitting, key=rank)


# Words of every question about training: they select nothing.
_EMPTY_WORDS = "the and for what which how should with use many much does are training train voice qwen tts"


def _stems(text: str) -> frozenset[str]:
    """Return words without their endings, roughly: ``rates`` and ``rate`` give one stem."""
    words = re.findall(r"[a-z0-9]{3,}", text.lower().replace("_", " "))
    return frozenset(word[:6].rstrip("s") for word in words if word not in _EMPTY_WORDS.split())
