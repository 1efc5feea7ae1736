"""Worker: does the work of one attempt, in the step's own environment.

``python -m jobs.runner.worker ATTEMPT_FOLDER``. It ends by writing ``result.json`` or ``failure.json``.
"""

import atexit
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from jobs.errors import UserError, causes
from jobs.files import records
from jobs.files.full_disk import is_full_disk
from jobs.files.output_marks import Place
from jobs.imports import collection_paused
from jobs.param_types import Strict
from jobs.runner import artifacts, outputs
from jobs.runner.attempt import left_outputs
from jobs.runner.attempt.outcome import CANCELLED_EXIT
from jobs.runner.job_kind import load_entry, load_kind
from jobs.runner.machine import limits
from jobs.runner.paths import AttemptFolder
from jobs.runner.progress.reports import ProgressWriter
from jobs.runner.worker import confinement
from jobs.runner.worker.context import Cancelled
from jobs.settings import Settings
from jobs.trust.home import follow_jobs_link

logger = logging.getLogger("jobs.runner.worker")  # it runs as __main__

FAILED_EXIT = 1
LEAVE_TIMEOUT_S = 30.0  # native libraries may hang while the interpreter ends; the work is done by then
MAX_MESSAGE = 2000
CUDA_OOM_HINT = "Lower batch_size, or set gradient_checkpointing; see that nothing else uses the GPU."
DISK_FULL_HINT = "Free some space and start the job again: what it had finished is kept."


class WorkerContext:
    """``JobContext`` of a real job."""

    def __init__(self, job_id: str, folder: Path, attempt: AttemptFolder, settings: Settings) -> None:
        self.job_id = job_id
        self.folder = folder
        self.settings = settings
        self.allowed: list[Path] = []
        """Where the process can write; empty: everywhere."""
        self._attempt = attempt
        self._progress = ProgressWriter(attempt.progress)
        self._cancel = threading.Event()

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
        """See ``JobContext``."""
        self._progress.write(done, total, message, metrics)

    def publish(self, name: str, path: Path, kind: str) -> str:
        """See ``JobContext``."""
        artifact = artifacts.record(self._attempt, self.job_id, name, Path(path), kind)
        logger.info("published %s: %s", artifact.handle, artifact.path)
        return artifact.handle

    def raise_if_cancelled(self) -> None:
        """See ``JobContext``."""
        if self.is_cancelled:
            raise Cancelled

    @property
    def is_cancelled(self) -> bool:
        """True once SIGTERM has come."""
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Stop at the next safe point."""
        self._cancel.set()

    def close(self) -> None:
        """Write what is left of the progress."""
        self._progress.close()


def work(attempt: AttemptFolder, settings: Settings) -> int:
    """Do an attempt's work, write its result or error, and return the exit code."""
    folder = attempt.path.parent
    if settings.rank > 0:  # one of several: the first process writes the result; the others write beside it
        attempt = AttemptFolder(attempt.path / f"rank-{settings.rank}")
        attempt.path.mkdir(mode=0o700, exist_ok=True)
    records.reserve(attempt.result)  # so that the result can be written on a full disk
    records.reserve(attempt.failure)
    job = records.read_record(folder / "job.json")
    if job is None:
        raise RuntimeError(f"{folder / 'job.json'} cannot be read")
    context = WorkerContext(str(job["job_id"]), folder, attempt, settings)
    signal.signal(signal.SIGTERM, lambda *_: context.cancel())
    try:
        result = _run(job, context, attempt)
        context.close()
        records.write_record(attempt.result, result.model_dump(mode="json"))
        records.release(attempt.failure)
        logger.info("%s is done", context.job_id)
        return 0
    except Cancelled:
        context.close()  # its last report says what is kept
        logger.info("stopped at a safe point, as asked")
        return CANCELLED_EXIT
    except (Exception, SystemExit) as error:
        if context.is_cancelled and not isinstance(error, UserError):
            # SIGTERM goes to the whole group: helpers that die of it make the work fail before its safe point
            logger.info("stopped while it was cancelled: %s", error)
            return CANCELLED_EXIT
        context.close()
        records.write_record(attempt.failure, _failure(error, context.allowed))
        records.release(attempt.result)
        return FAILED_EXIT


def _run(job: dict[str, Any], context: WorkerContext, attempt: AttemptFolder) -> Strict:
    kind = load_kind(str(job["spec"]), str(job["kind"]))
    params = kind.params.model_validate(job["params"])
    context.allowed = confinement.confine(kind, params, context.folder, context.settings)
    if kind.check is not None:
        kind.check(params)
    logger.info("%s begins; its parameters are in %s", context.job_id, context.folder / "job.json")
    with collection_paused():
        run = load_entry(kind.entry)
    context.raise_if_cancelled()
    places = outputs.find_places(kind, params, context.settings.home) if context.settings.rank == 0 else []
    if "output_jobs" in job:  # else it was submitted before outputs were marked
        left_outputs.note(attempt, places)
        outputs.claim(places, context.job_id, job["output_jobs"])
    try:
        return kind.result.model_validate(run(params, context))
    finally:  # also of a failure or a cancel, so that the same call can go on with what is there
        _seal(places, context.job_id)


def _seal(places: Sequence[Place], job_id: str) -> None:
    """Record what the job has made; without that record all that it might have made counts as its own."""
    try:
        outputs.seal(places, job_id)
    except (OSError, UserError):
        logger.exception("what was made could not be recorded in %s", ", ".join(str(place.folder) for place in places))


def _failure(error: BaseException, allowed: list[Path]) -> dict[str, str]:
    """Log an exception and describe it for ``failure.json``; the reason is one of ``models.Reason``."""
    reason = _reason(error)
    told = None if isinstance(error, UserError) else confinement.explain(error, allowed)
    if told is not None:
        logger.error("the work failed", exc_info=error)
        error = told
    if isinstance(error, UserError):
        logger.error("%s", error)
        return {"code": error.code, "message": error.message[:MAX_MESSAGE], "hint": error.hint, "reason": reason}
    logger.error("the work failed", exc_info=error)
    message = f"{type(error).__name__}: {error}"[:MAX_MESSAGE]
    if reason == "cuda_oom":
        return {"code": "cuda_oom", "message": message, "hint": CUDA_OOM_HINT, "reason": reason}
    if reason == "disk_full":
        return {"code": "disk_full", "message": message, "hint": DISK_FULL_HINT, "reason": reason}
    hint = "This is a defect or a broken installation, not a matter of the input: the log has the traceback."
    return {"code": "internal_error", "message": message, "hint": hint, "reason": reason}


def _reason(error: BaseException) -> str:
    for cause in causes(error):
        is_cuda = "CUDA" in str(cause) or type(cause).__module__.startswith("torch")
        if "CUDA out of memory" in str(cause) or (type(cause).__name__ == "OutOfMemoryError" and is_cuda):
            return "cuda_oom"
        if isinstance(cause, UserError) and cause.code in ("cuda_oom", "disk_full"):
            return cause.code
        if limits.is_out_of_memory(cause):
            return "oom_likely"
    return "disk_full" if is_full_disk(error) else "exit"


def main() -> None:
    """Entry of ``python -m jobs.runner.worker``."""
    codes: list[int] = []
    atexit.register(_skip_teardown, codes)  # the first, so it is called after those of libraries
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    faulthandler.enable()
    settings = Settings.from_environment()
    follow_jobs_link(settings.home)
    codes.append(work(AttemptFolder(Path(sys.argv[1])), settings))
    leave(codes[0])


def leave(code: int) -> NoReturn:
    """End the process with the code, whatever comes meanwhile."""
    # An interpreter that ends resets the handler, and a cancel would then falsify the exit code of what is done.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    timer = threading.Timer(LEAVE_TIMEOUT_S, os._exit, [code])
    timer.daemon = True
    timer.start()
    sys.exit(code)


def _skip_teardown(codes: Sequence[int]) -> None:
    """End the process with the code of its work, if that has ended, without freeing what the system frees at once.

    To take down torch and all that imports it costs 0.3 CPU-seconds.
    """
    if codes:
        logging.shutdown()
        with contextlib.suppress(OSError, ValueError):  # a full disk
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(codes[0])
