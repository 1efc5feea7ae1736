"""Losses of a run, saved in checkpoints."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

STEP_COLUMNS = ("step", "loss", "talker", "predictor", "lr", "grad_norm")
VALIDATION_COLUMNS = ("step", "loss", "talker", "predictor")
PROBE_COLUMNS = ("step", "talker_next", "talker_after", "predictor_own", "predictor_next")

COLUMNS = {"steps": STEP_COLUMNS, "validations": VALIDATION_COLUMNS, "probes": PROBE_COLUMNS}


@dataclass
class LossHistory:
    """Rows of numbers: one per optimiser step, validation and probe; columns as named above.

    The first probe is of step 0, before training.
    """

    steps: list[list[float]] = field(default_factory=list)
    validations: list[list[float]] = field(default_factory=list)
    probes: list[list[float]] = field(default_factory=list)

    @classmethod
    def from_rows(cls, rows: Mapping[str, Any]) -> Self:
        """Build it from saved rows.

        Raises:
            ValueError: rows of unknown names, or not of the columns.
        """
        unknown = set(rows) - set(COLUMNS)
        if unknown:
            raise ValueError(f"it holds losses that are unknown: {str(min(unknown, key=str))[:50]}")
        for name, saved in rows.items():
            if not isinstance(saved, list) or not all(_has_columns(row, len(COLUMNS[name])) for row in saved):
                raise ValueError(f"its {name} do not have {len(COLUMNS[name])} columns of numbers")
        return cls(**rows)

    @property
    def best(self) -> list[float] | None:
        """Row of the validation with the lowest loss, the first of equal ones."""
        return min(self.validations, key=lambda row: row[1]) if self.validations else None

    def count_since_best(self, start: int = 0) -> int:
        """Count the validations after the best one, and after the step ``start``."""
        after = max(self.best[0] if self.best else 0, start)
        return sum(row[0] > after for row in self.validations)

    @property
    def first_loss(self) -> float:
        """Loss of the first optimiser step."""
        return self.steps[0][1]

    @property
    def last_loss(self) -> float:
        """Mean loss of the last tenth of the run, at most ten steps, because one batch is too noisy."""
        tail = self.steps[-max(1, min(10, len(self.steps) // 10)) :]
        return sum(row[1] for row in tail) / len(tail)

    def validation_loss_at(self, step: int) -> float | None:
        """Return the loss of the validation after ``step`` steps."""
        return next((row[1] for row in self.validations if row[0] == step), None)


def _has_columns(row: Any, n_columns: int) -> bool:
    is_row = isinstance(row, list) and len(row) == n_columns and all(type(value) in (int, float) for value in row)
    return is_row and 0 <= row[0] < math.inf
