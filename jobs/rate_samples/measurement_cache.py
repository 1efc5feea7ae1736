"""Measurements kept by content in a journal file, so that a repeated or continued run computes only new ones."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jobs.runner.worker.journal import Journal


@dataclass(frozen=True)
class MeasurementCache:
    """Returns a known measurement, or computes and stores it.

    Measurements made with other ``versions`` of formula and models are not reused; ``before_compute`` may raise.
    """

    journal: Journal
    versions: tuple[str, ...]
    before_compute: Callable[[], None]

    def get_or_compute(self, form: Any, compute: Callable[[], Any], *inputs: object) -> Any:
        """Return the value for these inputs; ``compute`` makes it if the journal lacks it. Values are JSON.

        The journal lies beside the takes: a value that is not of ``form``, a type that pydantic knows, is computed.
        """
        key = cache_key(*inputs, *self.versions)
        value = self.journal.get(key)
        if value is None or not _is(form, value):
            self.before_compute()
            value = compute()
            self.journal.add(key, value)
        return value


def _is(form: Any, value: Any) -> bool:
    try:
        TypeAdapter(form).validate_python(value)
    except ValidationError:
        return False
    return True


def cache_key(*inputs: object) -> str:
    """Hash everything that a measurement depends on."""
    return hashlib.sha256(json.dumps(inputs, default=str).encode()).hexdigest()[:24]
