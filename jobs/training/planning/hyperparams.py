"""Settings that a search has found: ``best_config.json``. Light: no torch."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jobs.errors import UserError
from jobs.training.params import Params

KEY = "hyperparameters"
# What a run is about is the call's business; a file that an agent passes on must not move its paths.
NOT_FOR_A_FILE = frozenset({"manifest", "base_model", "out_dir", "hyperparams", "references", "resume", "rights"})


def read_hyperparams(path: Path, given: Collection[str] = ()) -> dict[str, Any]:
    """The settings of a file, without those that the caller gave.

    Args:
        path: JSON object with ``hyperparameters``, or those alone.
        given: names of the arguments that the caller gave.

    Raises:
        UserError: ``hyperparams_invalid``.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _invalid(f"{path} cannot be read as JSON: {error}") from error
    values = read.get(KEY, read) if isinstance(read, dict) else None
    if not isinstance(values, dict) or not values:
        raise _invalid(f"{path} holds no object of settings")
    unknown = sorted(set(values) - (set(Params.model_fields) - NOT_FOR_A_FILE))
    if unknown:
        raise _invalid(f"{path}: {', '.join(unknown)} cannot be set by a file")
    try:
        checked = Params.model_validate({**values, "manifest": "none"})
    except ValidationError as error:
        first = error.errors()[0]
        raise _invalid(f"{path}: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}") from error
    return {name: getattr(checked, name) for name in values if name not in given}


def _invalid(what: str) -> UserError:
    return UserError(
        "hyperparams_invalid",
        f"{what}.",
        'Give the best_config.json of tune_hparams, or {"hyperparameters": {"lr": 5e-6, …}}.',
    )
