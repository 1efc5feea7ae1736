"""Attempts handed to Slurm through its command line: the supervisor's ``Backend``. stdlib only.

Everything that must outlive the supervisor is in the attempt's folder on shared storage: ``attempt.json`` (what to
run), ``slurm.json`` (that and when Slurm was asked), ``claim`` (who owns the attempt), ``exit.json`` (how it ended).
The first two are written by ``submission``. Slurm's queue is asked for all attempts at once, in the background.
"""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from typing import Any

from jobs.files import records
from jobs.files.atomic_io import write_text
from jobs.runner.attempt import claim
from jobs.runner.attempt.path_mapping import map_back
from jobs.runner.backend import AttemptPhase, AttemptStatus
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.slurm import squeue_parser
from jobs.runner.slurm.sbatch import RESUBMIT_S, Submitter, build_path_map, read_request, slurm_name
from jobs.runner.slurm.slurm_cli import RefusedError, SlurmCli
from jobs.runner.slurm.squeue_cache import SqueueCache
from jobs.runner.slurm.state_resolver import LOST_S, MISSING_S, Evidence, Resolution, resolve_state
from jobs.runner.store import JobRow
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.slurm")

CANCEL_S = 5.0  # between two calls of scancel
FORCE_MARGIN_S = 10.0  # beyond the grace, until Slurm kills all


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
        self._path_map = build_path_map(settings)
        self._commands = commands or SlurmCli(settings.to_environment())
        self._submitter = Submitter(settings, self._commands, self._path_map, resubmit_s=resubmit_s)
        self._missing_s = missing_s
        self._lost_s = lost_s
        self._queue = SqueueCache(self._commands)
        self._missing_since: dict[str, float] = {}
        self._signs: dict[str, tuple[str, float]] = {}  # name: newest sign of life, and when it was first seen
        self._cancels: dict[str, tuple[float, float]] = {}  # name: first and last scancel

    def start(self, row: JobRow) -> str:
        """Submit the attempt; Slurm's id, or the attempt's name while Slurm does not answer.

        Raises:
            UserError: ``slurm_refused`` when Slurm does not want it.
        """
        folder = self._home.attempt(row.id, row.attempt)
        asked = read_request(folder)
        if asked is None:
            folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            asked = self._submitter.submit(row, folder)
        return str(asked.get("slurm_id") or slurm_name(row))

    def look(self, row: JobRow) -> AttemptStatus:
        """Find the attempt by the newest listing and the shim's files."""
        folder = self._home.attempt(row.id, row.attempt)
        self._queue.refresh()
        asked = read_request(folder)
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
                    self._submitter.submit_again(row, folder)
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
            write_text(folder.cancel, "")
        now = time.monotonic()
        first, last = self._cancels.get(slurm_name(row), (now, -CANCEL_S))
        if now - last < CANCEL_S:
            return
        self._cancels[slurm_name(row)] = (first, now)
        begun = claim.owner_of(folder.path) is not None
        if begun and first == now:
            self._scancel(slurm_name(row), "--signal=TERM", "--batch")  # it may see the file late on a network disk
        elif not begun or now - first >= self._settings.cancel_grace_s + FORCE_MARGIN_S:
            self._scancel(slurm_name(row))

    def _evidence(self, row: JobRow, folder: AttemptFolder, asked: dict[str, Any]) -> Evidence:
        name, now = slurm_name(row), time.monotonic()
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
            has_exit=records.read_record(folder.exit) is not None,
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
        logger.info("%s is given up: %s", slurm_name(row), detail)
        with contextlib.suppress(OSError):
            self._scancel(slurm_name(row))  # should it be in the queue after all
        return self._gone(row, detail)

    def _lose(self, row: JobRow, folder: AttemptFolder, detail: str) -> AttemptStatus:
        """Give up an attempt that had begun. Should it live on somewhere, it finds that it is cancelled."""
        write_text(folder.cancel, "")
        logger.warning("%s is given up: %s", slurm_name(row), detail)
        map_back(folder, self._path_map)
        return self._gone(row, detail)

    def _gone(self, row: JobRow, detail: str) -> AttemptStatus:
        self._submitter.forget(row)
        for memory in (self._missing_since, self._signs, self._cancels):
            memory.pop(slurm_name(row), None)
        return AttemptStatus(AttemptPhase.GONE, detail)

    def _scancel(self, name: str, *arguments: str) -> None:
        """By name, never by id, which may be another's by now."""
        try:
            self._commands.run("scancel", *arguments, f"--name={name}")
        except RefusedError as error:
            logger.info("scancel %s: %s", name, error)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
