"""Attempts handed to Slurm through its command line: the supervisor's ``Backend``. stdlib only.

Everything that must outlive the supervisor is in the attempt's folder on shared storage: ``attempt.json`` (what to
run), ``slurm.json`` (that and when Slurm was asked), ``claim`` (who owns the attempt), ``exit.json`` (how it ended).
Slurm's queue is asked for all attempts at once, in the background.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from pathlib import Path
from typing import Any

from jobs import atomic_io
from jobs.errors import UserError
from jobs.runner.attempt import claim
from jobs.runner.attempt.path_mapping import map_back, map_json, map_text
from jobs.runner.attempt.spec import build_slurm_name
from jobs.runner.backend import AttemptPhase, AttemptStatus
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.slurm import sbatch, squeue_parser
from jobs.runner.slurm.slurm_cli import NoAnswerError, RefusedError, SlurmCli
from jobs.runner.slurm.squeue_cache import SqueueCache
from jobs.runner.slurm.state_resolver import LOST_S, MISSING_S, Evidence, Resolution, resolve_state
from jobs.runner.store import JobRow
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.slurm")

RESUBMIT_S = 5.0
CANCEL_S = 5.0  # between two calls of scancel
FORCE_MARGIN_S = 10.0  # beyond the grace, until Slurm kills all
# Refusals that may pass; every other one is a mistake in the settings or the job.
PASSING = ("temporarily", "Job violates accounting/QOS policy", "job limit", "Requested node(s) are busy", "not yet")


def open_backend(settings: Settings) -> SlurmBackend:
    """The backend that ``config.toml`` describes."""
    return SlurmBackend(settings)


class SlurmBackend:
    """See ``jobs.runner.backend.Backend``.

    Args:
        settings: of the supervisor.
        commands: how Slurm is reached.
        missing_s: how long Slurm may not know an attempt until it is given up.
        lost_s: how long an attempt that had begun may give no sign of life once Slurm's job is over.
        resubmit_s: between two tries to submit while Slurm is away.
    """

    def __init__(
        self,
        settings: Settings,
        commands: SlurmCli | None = None,
        *,
        missing_s: float = MISSING_S,
        lost_s: float = LOST_S,
        resubmit_s: float = RESUBMIT_S,
    ) -> None:
        self._settings = settings
        self._home = Home(settings.home)
        self._slurm = settings.slurm
        self._path_map = _path_map(settings)
        self._commands = commands or SlurmCli(settings.to_environment())
        self._missing_s = missing_s
        self._lost_s = lost_s
        self._resubmit_s = resubmit_s
        self._queue = SqueueCache(self._commands)
        self._tried_at: dict[str, float] = {}  # name: last try to submit, monotonic
        self._missing_since: dict[str, float] = {}
        self._signs: dict[str, tuple[str, float]] = {}  # name: newest sign of life, and when it was first seen
        self._cancels: dict[str, tuple[float, float]] = {}  # name: first and last scancel

    def start(self, row: JobRow) -> str:
        """Submit the attempt; Slurm's id, or the attempt's name while Slurm does not answer.

        Raises:
            UserError: ``slurm_refused`` when Slurm does not want it.
        """
        folder = self._home.attempt(row.id, row.attempt)
        asked = atomic_io.read_json(_asked(folder))
        if asked is None:
            folder.path.mkdir(parents=True, exist_ok=True)
            asked = self._submit(row, folder)
        return str(asked.get("slurm_id") or _name(row))

    def look(self, row: JobRow) -> AttemptStatus:
        """Find the attempt by the newest listing and the shim's files."""
        folder = self._home.attempt(row.id, row.attempt)
        self._queue.refresh()
        asked = atomic_io.read_json(_asked(folder))
        verdict, detail = resolve_state(
            self._evidence(row, folder, asked or {}), missing_s=self._missing_s, lost_s=self._lost_s
        )
        match verdict:
            case Resolution.WAITING:
                return AttemptStatus(AttemptPhase.WAITING, detail)
            case Resolution.ALIVE:
                return AttemptStatus(AttemptPhase.ALIVE, detail)
            case Resolution.UNKNOWN:
                if asked is None and not row.cancel:
                    self._submit_again(row, folder)
                elif asked is None:
                    return self._give_up(row, folder, "never submitted")
                return AttemptStatus(AttemptPhase.UNKNOWN, detail)
            case Resolution.GIVE_UP:
                return self._give_up(row, folder, detail)
            case Resolution.LOST:
                return self._lose(row, folder, detail)
            case Resolution.ENDED:
                return self._gone(row, detail)

    def cancel(self, row: JobRow) -> None:
        """Stop an attempt: in the queue at once, at work at its next safe point, after the grace by force."""
        folder = self._home.attempt(row.id, row.attempt)
        if folder.path.is_dir() and not folder.cancel.exists():
            folder.cancel.write_text("", encoding="utf-8")
        now = time.monotonic()
        first, last = self._cancels.get(_name(row), (now, -CANCEL_S))
        if now - last < CANCEL_S:
            return
        self._cancels[_name(row)] = (first, now)
        begun = claim.owner_of(folder.path) is not None
        if begun and first == now:
            self._scancel(_name(row), "--signal=TERM", "--batch")  # it may see the file late on a network disk
        elif not begun or now - first >= self._settings.cancel_grace_s + FORCE_MARGIN_S:
            self._scancel(_name(row))

    def _submit(self, row: JobRow, folder: AttemptFolder) -> dict[str, Any]:
        """Ask Slurm once and record its answer; a lost answer is found by the job's name."""
        self._tried_at[_name(row)] = time.monotonic()
        there = Path(map_text(str(folder.path), self._path_map))
        self._write_spec(row, folder)
        # The nodes need of the home what is shared of it: the jobs' folders.
        home = there.parents[2] if there.parents[1].name == "jobs" else self._settings.home
        settings = dataclasses.replace(self._settings, gpus=None, home=home)
        whole, names = settings.to_environment(), settings.to_environment({})
        python = self._slurm.python or map_text(str(self._settings.python(row.environment)), self._path_map)
        batch = folder.path / "slurm.sh"
        batch.write_text(
            sbatch.script({name: whole[name] for name in names}, python=python, folder=there, path_map=self._path_map),
            encoding="utf-8",
        )
        arguments = sbatch.arguments(
            self._slurm, job_id=row.id, attempt=row.attempt, folder=there, needs_gpu=row.resource == "gpu",
            memory_mb=row.memory_mb, n_processes=row.attempt_spec.n_processes,
        )  # fmt: skip
        asked: dict[str, Any] = {"asked_at": time.time()}
        atomic_io.write_record(_asked(folder), asked)  # before: an answer may be lost, the question must not be
        try:
            answer = self._commands.run("sbatch", *arguments, str(batch))
        except NoAnswerError as error:
            if "connect failure" in str(error) or "a moment ago" in str(error):
                _asked(folder).unlink()  # it surely was not taken
            logger.warning("%s: %s", _name(row), error)
            return asked
        except RefusedError as error:
            if any(sign in str(error) for sign in PASSING):
                _asked(folder).unlink()
                logger.warning("%s: %s", _name(row), error)
                return asked
            raise UserError(
                "slurm_refused",
                f"Slurm does not take the job: {error}.",
                "Correct [slurm] in config.toml of the home, then start the job again.",
            ) from error
        asked["slurm_id"] = answer.strip().splitlines()[-1].split(";")[0] if answer.strip() else None
        atomic_io.write_record(_asked(folder), asked)
        logger.info("%s is Slurm job %s", _name(row), asked["slurm_id"])
        return asked

    def _submit_again(self, row: JobRow, folder: AttemptFolder) -> None:
        if time.monotonic() - self._tried_at.get(_name(row), float("-inf")) >= self._resubmit_s:
            self._submit(row, folder)

    def _write_spec(self, row: JobRow, folder: AttemptFolder) -> None:
        """With the nodes' paths, as the worker there sees them."""
        spec = row.attempt_spec
        document = map_json(spec.document, self._path_map)
        atomic_io.write_record(
            folder.task,
            dataclasses.asdict(
                dataclasses.replace(spec, document=document, python=self._slurm.python, path_map=self._path_map)
            ),
        )

    def _evidence(self, row: JobRow, folder: AttemptFolder, asked: dict[str, Any]) -> Evidence:
        name, now = _name(row), time.monotonic()
        owner = claim.owner_of(folder.path)
        sign = f"{owner} {_read(folder.alive)}"
        if self._signs.get(name, ("", 0.0))[0] != sign:
            self._signs[name] = (sign, now)
        asked_at = float(asked.get("asked_at", 0.0))
        answers = self._queue.answered_at > asked_at
        job = squeue_parser.find(self._queue.jobs, name, asked_at) if answers else None
        if not answers or job is not None:
            self._missing_since.pop(name, None)
        else:
            self._missing_since.setdefault(name, now)
        return Evidence(
            has_exit=atomic_io.read_json(folder.exit) is not None,
            owner=owner,
            quiet_s=now - self._signs[name][1],
            answers=answers,
            job=job,
            missing_s=now - self._missing_since.get(name, now),
            asked=bool(asked),
        )

    def _give_up(self, row: JobRow, folder: AttemptFolder, detail: str) -> AttemptStatus:
        """Make sure that the attempt never begins; a shim that was faster keeps it."""
        if not claim.take(folder.path, claim.SUPERVISOR):
            return AttemptStatus(AttemptPhase.UNKNOWN, detail)
        logger.info("%s is given up: %s", _name(row), detail)
        with contextlib.suppress(OSError):
            self._scancel(_name(row))  # should it be in the queue after all
        return self._gone(row, detail)

    def _lose(self, row: JobRow, folder: AttemptFolder, detail: str) -> AttemptStatus:
        """Give up an attempt that had begun. Should it live on somewhere, it finds that it is cancelled."""
        folder.cancel.write_text("", encoding="utf-8")
        logger.warning("%s is given up: %s", _name(row), detail)
        map_back(folder, self._path_map)
        return self._gone(row, detail)

    def _gone(self, row: JobRow, detail: str) -> AttemptStatus:
        for memory in (self._tried_at, self._missing_since, self._signs, self._cancels):
            memory.pop(_name(row), None)
        return AttemptStatus(AttemptPhase.GONE, detail)

    def _scancel(self, name: str, *arguments: str) -> None:
        """By name, never by id, which may be another's by now."""
        try:
            self._commands.run("scancel", *arguments, f"--name={name}")
        except RefusedError as error:
            logger.info("scancel %s: %s", name, error)


def _path_map(settings: Settings) -> dict[str, str]:
    """The user's, and where the jobs' folder really is when it is a link to shared storage."""
    given = dict(settings.slurm.path_map or {})
    jobs = settings.home / "jobs"
    return given if jobs.resolve() == jobs else {str(jobs): map_text(str(jobs.resolve()), given)} | given


def _name(row: JobRow) -> str:
    return build_slurm_name(row.id, row.attempt)


def _asked(folder: AttemptFolder) -> Path:
    """That Slurm was asked, when, and the id it gave."""
    return folder.path / "slurm.json"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
