"""Conflicts: sources that give another value than the recommended one, and the reason for their lower weight."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from jobs.web_research_hparams.evidence.number_parsing import format_number
from jobs.web_research_hparams.evidence.weighing import SAME, ValueCandidate
from jobs.web_research_hparams.knowledge import Fact, LossState, ModelSize

MAX_CONFLICTS = 4

_NAMES = {"batch_size": "batch"}  # other names in the knowledge base

_WHY_FACT: dict[LossState, str] = {
    "correct": "correct loss too; measured as worse, or with other audio: read the fact",
    "code_predictor_labels_wrong": "codebooks 1 to 15 learnt a neighbour's label",
    "misaligned": "its trainer learns the frame after the next",
    "not_about_loss": "about another model or question",
    "unknown": "the loss is not known",
}

_WHY_FIGURE: dict[LossState, str] = {**_WHY_FACT, "correct": "from a trainer with a correct loss: worth reading"}

_A_DEFAULT = "a default; no result was published with it"


class Conflict(BaseModel):
    """Another value than the recommended one."""

    id: str = Field(description="Of the fact (knowledge base) or finding.")
    says: str
    why_lower: str


def find_conflicts(
    parameter: str, start: float, size: ModelSize, facts: Sequence[Fact], candidates: Sequence[ValueCandidate]
) -> list[Conflict]:
    """Find facts and weighed candidates that give another value for a setting than ``start``, the recommended one."""
    found = []
    for one in candidates:
        if (
            one.parameter == parameter
            and one.verdict in ("counts", "no_weight")
            and not _agrees(start, one.low, one.high)
        ):
            found.append((one.weight + 0.01, Conflict(id=one.id, says=one.value, why_lower=one.why)))
        elif one.parameter == parameter and one.verdict == "against" and _agrees(start, one.low, one.high):
            why = f"claim of one page; {_WHY_FIGURE[one.loss_state]}"
            found.append((0.25, Conflict(id=one.id, says=f"not {one.value}", why_lower=why)))
    for fact in facts:
        word = _NAMES.get(parameter, parameter)
        value = fact.values.get(word, fact.values.get(f"{word}_{size}"))
        if value is None:
            continue
        low, high = (min(value), max(value)) if isinstance(value, list) else (value, value)
        if not _agrees(start, low, high):
            says = format_number(low) if low == high else f"{format_number(low)} to {format_number(high)}"
            is_default = fact.evidence == "read_in_code" and fact.loss_state == "correct"
            why = _A_DEFAULT if is_default else _WHY_FACT[fact.loss_state]
            conflict = Conflict(id=fact.id, says=says, why_lower=why)
            found.append((_RANK[fact.loss_state], conflict))
    return [conflict for _, conflict in sorted(found, key=lambda pair: -pair[0])][:MAX_CONFLICTS]


_RANK: dict[LossState, float] = {
    "correct": 1.0, "code_predictor_labels_wrong": 0.3, "unknown": 0.2, "misaligned": 0.15, "not_about_loss": 0.1,
}  # fmt: skip


def _agrees(start: float, low: float, high: float) -> bool:
    return low / SAME <= start <= high * SAME
