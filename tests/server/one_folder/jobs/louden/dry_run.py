"""The plan of ``louden``."""

from __future__ import annotations

from typing import Any

from jobs.louden.params import Params
from jobs.settings import Settings


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Return what would be done."""
    return {"gain": f"{params.gain_db:g} dB"}
