"""One measurement of a part, and the setting that all parts share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Verdict = Literal["good", "wrong", "measured", "left out", "failed"]


@dataclass(frozen=True)
class Setting:
    """Device and size of a measurement.

    Attributes:
        device: of torch.
        tiny: models of a test's size instead of the released ones.
        folder: scratch that all parts share.
        upstream: a copy of upstream's ``finetuning/``.
        whisper: a folder of CTranslate2 weights.
    """

    device: str
    tiny: bool
    folder: Path
    upstream: Path | None = None
    whisper: Path | None = None

    @classmethod
    def from_json(cls, text: str) -> Setting:
        """Read what ``to_json`` wrote."""
        given = json.loads(text)
        paths = {name: given[name] and Path(given[name]) for name in ("folder", "upstream", "whisper")}
        return cls(given["device"], given["tiny"], **paths)

    def to_json(self) -> str:
        """Write the setting for another process."""
        return json.dumps(asdict(self), default=str)

    @property
    def sizes(self) -> tuple[str, ...]:
        """Names of the model shapes, see ``bench.support.train_step.SIZES``."""
        return ("tiny",) if self.tiny else ("0.6b", "1.7b")

    @property
    def is_gpu(self) -> bool:
        """True where the device is not the CPU."""
        return self.device != "cpu"


@dataclass(frozen=True)
class Outcome:
    """Verdict and figures of a case.

    Attributes:
        verdict: ``measured``: a figure without a target; ``left out``: it cannot be measured here; ``failed``: an
            error ended it.
        says: the verdict's reason, in one sentence.
        figures: measured values and, beside them, estimates and targets.
    """

    verdict: Verdict
    says: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A named measurement."""

    name: str
    measure: Callable[[], Outcome]


@dataclass(frozen=True)
class Row:
    """A case's outcome as it is kept."""

    part: str
    case: str
    seconds: float
    outcome: Outcome

    def as_json(self) -> dict[str, Any]:
        """One level, for a JSON line."""
        return {"part": self.part, "case": self.case, "seconds": round(self.seconds, 1), **asdict(self.outcome)}


def judge(good: bool, says: str, **figures: Any) -> Outcome:
    """Make an outcome with a target that is met or not."""
    return Outcome("good" if good else "wrong", says, figures)


def left_out(says: str) -> Outcome:
    """Make an outcome of a case that cannot be measured here."""
    return Outcome("left out", says)
