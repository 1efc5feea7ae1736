"""Submission of a job: found by its key or fingerprint, or inserted once, in one transaction."""

import hashlib
import json
import secrets
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.errors import UserError
from jobs.param_types import Strict
from jobs.runner import artifacts
from jobs.runner.call_text import call_text
from jobs.runner.client.named_folders import OWN_FOLDER, NamedFolder
from jobs.runner.client.output_check import check_outputs
from jobs.runner.job_kind import JobKind
from jobs.runner.machine import preflight
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.settings import BACKENDS, Settings


@dataclass(frozen=True)
class SubmissionRequest:
    """Request for a job. ``fingerprint`` is kept in any case; it is looked for only with ``reuse``.

    The other fields are explained in ``Runner.submit``.
    """

    kind: JobKind
    params: Strict
    key: str | None = None
    fingerprint: str | None = None
    reuse: bool = True
    after: tuple[str, ...] = ()
    priority: int = 0
    not_before: float | None = None
    max_run_s: float | None = None
    backend: str | None = None
    memory_mb: int | None = None
    folder: NamedFolder | None = None

    @property
    def spec_hash(self) -> str:
        """SHA-256 of kind and parameters, as the caller gave them."""
        spec = {"kind": self.kind.name, "params": self.params.identity()}
        return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()

    def backend_of(self, settings: Settings) -> str:
        """Return the backend of the job itself: a director and a service run beside the store."""
        return "local" if self.kind.resource in ("director", "service") else self.backend or settings.backend


@dataclass(frozen=True)
class Checked:
    """Outcome of a check of a submission.

    Attributes:
        known: the job that was submitted with the same key or does the same, which no other check is made for.
        params: of the job, with its folder.
        output_jobs: the jobs whose marks in the outputs the worker may believe.
    """

    known: JobRow | None
    params: Strict
    output_jobs: list[str]


def check(request: SubmissionRequest, store: Store, settings: Settings, *, mark: bool) -> Checked:
    """Check a request, for a dry run and for a submission alike.

    Args:
        request: what would be submitted.
        store: of the home; not made when it is missing.
        settings: of the caller.
        mark: whether to mark outputs of jobs from before the marks; a dry run writes nothing.

    Raises:
        UserError: ``idempotency_conflict``, ``backend_unknown``, ``home_on_network``, ``disk_full``,
            ``memory_too_large``, ``environment_missing``, ``output_not_ours``, ``path_unusable``, ``path_is_link``,
            ``job_unknown`` or ``dependency_failed``.
    """
    if request.backend is not None and request.backend not in BACKENDS:
        raise UserError("backend_unknown", f"There is no backend {request.backend!r}.", f"Use {' or '.join(BACKENDS)}.")
    preflight.check_local(settings.home)
    known = None
    if store.exists:  # else it has no job, and a look would make it
        known = _by_key(request, store) or _by_fingerprint(request, store, settings)
    if known is not None:
        stored = json.loads(known.document)["params"]
        placed = {request.folder.parameter: stored.get(request.folder.parameter, "")} if request.folder else {}
        return Checked(known, request.params.model_copy(update=placed), [])
    preflight.check(settings, request.kind.environment, request.backend_of(settings), request.memory_mb)
    check_needed(request.after, store)
    return _place(request, store, settings, mark=mark)


def _place(request: SubmissionRequest, store: Store, settings: Settings, *, mark: bool) -> Checked:
    """Choose the folder that the caller left open, and check the outputs.

    Work that goes on in its job's own folder stays there.
    """
    params, folder = request.params, request.folder
    if folder is not None and not (folder.parameter == OWN_FOLDER and _find_former(request, store, settings)):
        is_looked_for = request.reuse and request.fingerprint is not None and store.exists
        same = store.with_fingerprint(request.kind.name, request.fingerprint or "") if is_looked_for else []
        params = params.model_copy(update={folder.parameter: str(folder.choose(same, store))})
    output_jobs = check_outputs(request.kind, params, store, settings.home, mark=mark)
    return Checked(None, params, sorted({*output_jobs, *request.after}))


def take(request: SubmissionRequest, store: Store, settings: Settings) -> tuple[JobRow, bool]:
    """Return the job of a request, and whether it is new.

    Raises:
        UserError: as ``check``; ``home_unusable``.
    """
    checked = check(request, store, settings, mark=True)
    if checked.known is not None and (request.key is None or store.by_key(request.key) is not None):
        return checked.known, False
    try:
        return _write(request, store, settings, checked)
    except sqlite3.OperationalError as error:
        raise UserError(
            "disk_full" if "full" in str(error) else "home_unusable",
            f"The job could not be written to {Home(settings.home).database}: {error}.",
            "Nothing was started. Free some space, or give TTS_TRAIN_HOME a folder you may write to; then ask again.",
        ) from error


def _write(request: SubmissionRequest, store: Store, settings: Settings, checked: Checked) -> tuple[JobRow, bool]:
    """Look again under the write lock, where no other caller can be faster, and insert."""
    with store.transaction() as connection:
        known = _by_key(request, store)
        if known is not None:
            return known, False
        reusable = _by_fingerprint(request, store, settings)
        if reusable is not None:
            if request.key is not None:
                store.remember_key(connection, request.key, reusable.id, request.spec_hash)
            return reusable, False
        if request.folder is not None:  # another job may have got it since
            checked = _place(request, store, settings, mark=True)
        document = _document(request, settings, checked)
        if (former := _find_former(request, store, settings)) is not None:
            document |= {"continues": former}
        job_id = _new_id(request.kind.name, document["created_at"], store)
        row = {
            "id": job_id,
            "kind": request.kind.name,
            "spec_hash": request.spec_hash,
            "fingerprint": request.fingerprint,
            "document": json.dumps({"job_id": job_id} | document, ensure_ascii=False),
            "resource": request.kind.resource,
            "environment": request.kind.environment,
            "max_tries": request.kind.max_tries,
            "created_at": document["created_at"],
            "priority": request.priority,
            "not_before": request.not_before,
            "max_run_s": request.max_run_s,
            "backend": request.backend_of(settings),
            "memory_mb": request.memory_mb,
        }
        check_needed(request.after, store)
        store.insert(connection, row, request.key, request.after)
    inserted = store.get(job_id)
    assert inserted is not None
    return inserted, True


def check_needed(after: Sequence[str], store: Store) -> None:
    """Refuse to wait for what is not there or can no longer succeed."""
    for job_id in after:
        needed = store.get(job_id)
        if needed is None:
            raise UserError(
                "job_unknown", f"There is no job {job_id!r} to wait for.", "Call list_jobs for the known jobs."
            )
        if needed.state in ("failed", "cancelled") or (needed.cancel and needed.state != "succeeded"):
            raise UserError(
                "dependency_failed",
                f"{job_id}, which this work needs, is {needed.state}: {needed.detail}",
                f"See {call_text('get_job', {'job_id': job_id})}, start that work again, and wait for the new job.",
            )


def _by_key(request: SubmissionRequest, store: Store) -> JobRow | None:
    found = store.by_key(request.key) if request.key is not None else None
    if found is None:
        return None
    row, first_hash = found
    if first_hash != request.spec_hash:
        raise UserError(
            "idempotency_conflict",
            f"The key {request.key!r} was used for {row.id} with other parameters.",
            f"Use a new key for other work, or look at the old with {call_text('get_job', {'job_id': row.id})}.",
        )
    return row


def _by_fingerprint(request: SubmissionRequest, store: Store, settings: Settings) -> JobRow | None:
    if request.fingerprint is None or not request.reuse:
        return None
    home = Home(settings.home)
    for row in store.by_fingerprint(request.kind.name, request.fingerprint):
        if home.collected(row.id).exists() or (row.state == "succeeded" and request.kind.resource == "service"):
            continue  # a service that has ended serves no longer
        made = artifacts.published(home.attempts(row.id, row.attempt))
        holds = request.kind.is_still_done
        if row.state != "succeeded" or (
            all(artifacts.is_on_disk(artifact) for artifact in made)
            and (holds is None or holds(request.params, settings))
        ):
            return row
    return None


def _find_former(request: SubmissionRequest, store: Store, settings: Settings) -> str | None:
    """Return the newest job of the same call that was stopped or has failed, and left something in its own folder."""
    if request.fingerprint is None or not request.reuse or not store.exists:
        return None
    home = Home(settings.home)
    rows = store.ended_early(request.kind.name, request.fingerprint)
    return next((row.id for row in rows if home.out(row.id).is_dir() and not home.collected(row.id).exists()), None)


def _document(request: SubmissionRequest, settings: Settings, checked: Checked) -> dict[str, Any]:
    """Build the job's document: all that the worker needs, and all that is needed to repeat the run."""
    placed = request.folder.parameter if request.folder is not None else ""
    return {
        "kind": request.kind.name,
        "params": checked.params.model_dump(mode="json"),
        "placed": [placed] if placed and getattr(checked.params, placed) else [],
        "output_jobs": checked.output_jobs,
        "fingerprint": request.fingerprint,
        "entry": request.kind.entry,
        "spec": _module_of(request.kind),
        "environment": request.kind.environment,
        "created_at": time.time(),
        "settings": {
            "roots": [str(root) for root in settings.roots],
            "hub_cache": str(settings.hub_cache),
            "torch_cache": str(settings.torch_cache),
            "torch_index": settings.torch_index,
            "gpus": settings.gpus,
            "backend": request.backend or settings.backend,
        },
    }


def _module_of(kind: JobKind) -> str:
    """Module in which the worker finds the kind again: the one that defines its parameters."""
    name = kind.module
    if kind not in [value for value in vars(sys.modules[name]).values() if isinstance(value, JobKind)]:
        raise TypeError(f"the kind {kind.name!r} must be a name of {name}, the module that defines its parameters")
    return name


def _new_id(kind_name: str, created_at: float, store: Store) -> str:
    """E.g. ``align-20261122-131144-7f3a``: kind, UTC time, four hex digits."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(created_at))
    while True:
        job_id = f"{kind_name}-{stamp}-{secrets.token_hex(2)}"
        if store.get(job_id) is None:
            return job_id
