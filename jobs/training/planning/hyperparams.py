"""Reading of ``best_config.json``, the hyperparameters that a search has found."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jobs.errors import UserError
from jobs.files.json_documents import parse_json
from jobs.files.reading import read_bytes
from jobs.param_types import MAX_NAMED, first_fault
from jobs.training.params import Params, may_be_in_a_file

KEY = "hyperparameters"
LARGEST_BYTES = 1_000_000


def read_hyperparams(path: Path, given: Collection[str] = ()) -> dict[str, Any]:
    """Read the parameters of a file, without those that the caller gave.

    Args:
        path: JSON object with ``hyperparameters``, or the hyperparameters themselves.

    Raises:
        UserError: ``hyperparams_invalid``, ``file_not_regular``, ``file_too_large``.
    """
    try:
        read = parse_json(read_bytes(path, LARGEST_BYTES))
    except (OSError, ValueError) as error:
        raise _invalid(f"{path} cannot be read as JSON: {error}") from error
    values = read.get(KEY, read) if isinstance(read, dict) else None
    if not isinstance(values, dict) or not values:
        raise _invalid(f"{path} is not an object of settings")
    known = {name for name, value in values.items() if name in Params.model_fields and may_be_in_a_file(name, value)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise _invalid(f"{path}: {', '.join(name[:MAX_NAMED] for name in unknown[:5])} cannot be set by a file")
    try:
        checked = Params.model_validate({**values, "manifest": "none"})
    except ValidationError as error:
        raise _invalid(f"{path}: {first_fault(error)}") from error
    return {name: getattr(checked, name) for name in values if name not in given}


def _invalid(what: str) -> UserError:
    return UserError(
        "hyperparams_invalid",
        f"{what}.",
        'Give the best_config.json of tune_hparams, or {"hyperparameters": {"lr": 5e-6, …}}.',
    )
