"""Check, before a job is submitted, that its outputs replace only what jobs have made."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from jobs.files.output_marks import RECORDS, Place
from jobs.param_types import Strict
from jobs.runner.job_kind import JobKind
from jobs.runner.outputs import find_places, refuse_foreign
from jobs.runner.store import Store


def check_outputs(kind: JobKind, params: Strict, store: Store, home: Path, *, mark: bool = True) -> None:
    """Refuse to replace what no job has made.

    Outputs of jobs that ran before outputs were marked are known by the store, and marked unless ``mark`` is false.

    Raises:
        UserError: ``output_not_ours``, ``path_unusable``, ``path_is_link``.
    """
    unknown = []
    for place in find_places(kind, params, home):
        is_old = not (place.folder / RECORDS).exists() and bool(place.foreign())
        job_id = next(_made_before(kind, place, store, home), None) if is_old else None
        if job_id is None:
            unknown.append(place)
        elif mark:
            place.claim(job_id)
    refuse_foreign(unknown)


def _made_before(kind: JobKind, place: Place, store: Store, home: Path) -> Iterator[str]:
    """Find jobs of the same kind that wrote into the same folder."""
    for row in store.with_text(kind.name, json.dumps(str(place.folder), ensure_ascii=False)[1:-1]):
        with suppress(ValidationError, ValueError, KeyError):
            params = kind.params.model_validate(json.loads(row.document)["params"])
            if any(found.folder == place.folder for found in find_places(kind, params, home)):
                yield row.id
