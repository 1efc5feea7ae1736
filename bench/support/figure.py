"""A measured figure beside its target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measurement; good when ``value`` is at most ``target``."""

    name: str
    value: float
    target: float
    unit: str
    detail: str = ""

    @property
    def is_good(self) -> bool:
        """Return whether the target is met."""
        return self.value <= self.target
