"""Check, before a job is submitted, that its outputs replace only what jobs of this home have made."""

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from jobs.files.output_marks import RECORDS, Place
from jobs.param_types import Strict
from jobs.runner.job_kind import JobKind, all_kinds
from jobs.runner.outputs import find_places, refuse_foreign
from jobs.runner.store import JobRow, Store


def check_outputs(kind: JobKind, params: Strict, store: Store, home: Path, *, mark: bool = True) -> list[str]:
    """Refuse to replace what no job of this home has made.

    Outputs of jobs that ran before outputs were marked are known by the store, and marked unless ``mark`` is false.

    Returns:
        Jobs that have written there, or will before this one, whose marks the worker may believe.

    Raises:
        UserError: ``output_not_ours``, ``path_unusable``, ``path_is_link``.
    """
    kinds = {**all_kinds(), kind.name: kind}

    def is_known(job_id: str, folder: Path) -> float | None:
        row = store.get(job_id)
        if row is None or row.kind not in kinds or not _writes_in(row, kinds[row.kind], folder, home):
            return None
        return math.inf if row.ended_at is None else row.ended_at

    places, unknown = find_places(kind, params, home), []
    if not store.exists:
        refuse_foreign(places, lambda job, folder: None)
        return []
    known = {job_id for place in places for job_id in place.jobs() if store.get(job_id) is not None}
    for place in places:
        live = store.live_with_text(_as_in_document(place.folder))
        known.update(row.id for row in live if is_known(row.id, place.folder) is not None)
        is_old = not (place.folder / RECORDS).exists() and bool(place.foreign(is_known))
        job_id = next(_made_before(kind, place, store, home), None) if is_old else None
        if job_id is None:
            unknown.append(place)
        else:
            known.add(job_id)
            if mark:
                place.claim(job_id)
    refuse_foreign(unknown, is_known)
    return sorted(known)


def _made_before(kind: JobKind, place: Place, store: Store, home: Path) -> Iterator[str]:
    """Find jobs of before outputs were marked, of the same kind and the same output."""
    for row in store.with_text(kind.name, _as_in_document(place.folder)):
        if "output_jobs" not in json.loads(row.document) and _writes_in(row, kind, place.folder, home, place.record):
            yield row.id


def _as_in_document(folder: Path) -> str:
    return json.dumps(str(folder), ensure_ascii=False)[1:-1]


def _writes_in(row: JobRow, kind: JobKind, folder: Path, home: Path, record: str | None = None) -> bool:
    with suppress(ValidationError, ValueError, KeyError, TypeError):
        params = kind.params.model_validate(json.loads(row.document)["params"])
        return any(
            _is_same(found.folder, folder, home) and record in (None, found.record)
            for found in find_places(kind, params, home)
        )
    return False


def _is_same(written: Path, folder: Path, home: Path) -> bool:
    """Return True for the same folder, also under its name from before the home was moved: the home is our own."""
    if written == folder or not folder.is_relative_to(home):
        return written == folder
    inner = folder.relative_to(home).parts
    return bool(inner) and written.parts[-len(inner) :] == inner
