"""Submission of an attempt with ``sbatch``: its arguments, the script for the node, and the record of Slurm's answer.

stdlib only.
"""

from __future__ import annotations

import dataclasses
import logging
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files import records
from jobs.files.atomic_io import PRIVATE, write_bytes
from jobs.runner.attempt.path_mapping import map_json, map_text, map_variable
from jobs.runner.attempt.spec import build_slurm_name
from jobs.runner.paths import AttemptFolder
from jobs.runner.slurm.slurm_cli import NoAnswerError, RefusedError, SlurmCli
from jobs.runner.store import JobRow
from jobs.settings import Settings, SlurmSettings

logger = logging.getLogger("jobs.runner.slurm")

RESUBMIT_S = 5.0
# Refusals that may pass; every other one is a mistake in the settings or the job.
PASSING = ("temporarily", "Job violates accounting/QOS policy", "job limit", "Requested node(s) are busy", "not yet")


class Submitter:
    """Asks Slurm to take attempts.

    Args:
        settings: of the supervisor.
        commands: how Slurm is reached.
        path_map: this machine's path prefixes to the nodes'.
        resubmit_s: between two tries to submit while Slurm is away.
    """

    def __init__(
        self, settings: Settings, commands: SlurmCli, path_map: dict[str, str], *, resubmit_s: float = RESUBMIT_S
    ) -> None:
        self._settings = settings
        self._slurm = settings.slurm
        self._commands = commands
        self._path_map = path_map
        self._resubmit_s = resubmit_s
        self._tried_at: dict[str, float] = {}  # name: last try to submit, monotonic

    def submit(self, row: JobRow, folder: AttemptFolder) -> dict[str, Any]:
        """Ask Slurm once and record its answer; a lost answer is found by the job's name."""
        self._tried_at[slurm_name(row)] = time.monotonic()
        there = Path(map_text(str(folder.path), self._path_map))
        self._write_spec(row, folder)
        # The nodes need of the home what is shared of it: the jobs' folders.
        home = there.parents[2] if there.parents[1].name == "jobs" else self._settings.home
        settings = dataclasses.replace(self._settings, gpus=None, home=home)
        whole, names = settings.to_environment(), settings.to_environment({})
        python = self._slurm.python or map_text(str(self._settings.python(row.environment)), self._path_map)
        batch = folder.path / "slurm.sh"
        exported = {name: whole[name] for name in names}
        script = build_script(exported, python=python, folder=there, path_map=self._path_map)
        write_bytes(batch, script.encode(), mode=PRIVATE)
        arguments = build_arguments(
            self._slurm, job_id=row.id, attempt=row.attempt, folder=there, needs_gpu=row.resource == "gpu",
            memory_mb=row.memory_mb, n_processes=row.attempt_spec.n_processes,
        )  # fmt: skip
        asked: dict[str, Any] = {"asked_at": time.time()}
        records.write_record(_asked(folder), asked)  # before: an answer may be lost, the question must not be
        try:
            answer = self._commands.run("sbatch", *arguments, str(batch))
        except NoAnswerError as error:
            if "connect failure" in str(error) or "a moment ago" in str(error):
                _asked(folder).unlink()  # it surely was not taken
            logger.warning("%s: %s", slurm_name(row), error)
            return asked
        except RefusedError as error:
            if any(sign in str(error) for sign in PASSING):
                _asked(folder).unlink()
                logger.warning("%s: %s", slurm_name(row), error)
                return asked
            raise UserError(
                "slurm_refused",
                f"Slurm does not take the job: {error}.",
                "Correct [slurm] in config.toml of the home, then start the job again.",
            ) from error
        asked["slurm_id"] = answer.strip().splitlines()[-1].split(";")[0] if answer.strip() else None
        records.write_record(_asked(folder), asked)
        logger.info("%s is Slurm job %s", slurm_name(row), asked["slurm_id"])
        return asked

    def submit_again(self, row: JobRow, folder: AttemptFolder) -> None:
        """Submit if the last try was long enough ago."""
        if time.monotonic() - self._tried_at.get(slurm_name(row), float("-inf")) >= self._resubmit_s:
            self.submit(row, folder)

    def forget(self, row: JobRow) -> None:
        """Forget an attempt that has ended."""
        self._tried_at.pop(slurm_name(row), None)

    def _write_spec(self, row: JobRow, folder: AttemptFolder) -> None:
        """Write what to run, with the nodes' paths, as the worker there sees them."""
        spec = row.attempt_spec
        document = map_json(spec.document, self._path_map)
        records.write_record(
            folder.task,
            dataclasses.asdict(dataclasses.replace(spec, document=document, path_map=self._path_map)),
        )


def build_arguments(
    slurm: SlurmSettings,
    *,
    job_id: str,
    attempt: int,
    folder: Path,
    needs_gpu: bool,
    memory_mb: int | None = None,
    n_processes: int = 1,
) -> list[str]:
    """Build the arguments of ``sbatch`` before the script's file.

    Args:
        slurm: how the user wants it.
        job_id: of the job.
        attempt: of the job.
        folder: the attempt's, as the nodes name it.
        needs_gpu: whether to ask for ``gres``.
        memory_mb: the job's declared need, which wins over ``mem``.
        n_processes: of the work; only several use more than one node.
    """
    n_nodes = slurm.nodes if n_processes > 1 else 1
    wanted = {
        "job-name": build_slurm_name(job_id, attempt),
        "comment": str(folder),
        "chdir": str(folder.parent),
        "output": str(folder / "slurm.log").replace("%", "%%"),
        "open-mode": "append",
        # To the batch shell only, which the shim replaces: it lets the work reach a safe point before the limit.
        "signal": f"B:TERM@{slurm.stop_s}",
        "time": slurm.time,
        "mem": f"{memory_mb}M" if memory_mb else slurm.mem,
        "gres": slurm.gres if needs_gpu else "",
        "cpus-per-task": str(slurm.cpus or ""),
        "nodes": str(n_nodes) if n_nodes > 1 else "",
        "ntasks-per-node": "1" if n_nodes > 1 else "",
        "partition": slurm.partition,
        "account": slurm.account,
        "qos": slurm.qos,
    }
    given = [f"--{name}={value}" for name, value in wanted.items() if value]
    # Slurm must not start it again by itself: our store does, as a new attempt.
    return ["--parsable", "--no-requeue", *given, *slurm.extra]


def build_script(environment: Mapping[str, str], *, python: str, folder: Path, path_map: Mapping[str, str]) -> str:
    """Build the batch script: the environment with the nodes' paths, then the shim in the shell's place.

    Args:
        environment: variables for the node, with this machine's paths.
        python: interpreter on the node.
        folder: the attempt's, as the nodes name it.
        path_map: this machine's path prefixes to the nodes'.
    """
    exports = [
        f"export {name}={shlex.quote(map_variable(name, value, path_map))}"
        for name, value in sorted(environment.items())
    ]
    command = shlex.join([python, "-S", "-m", "jobs.runner.shim", "--remote", str(folder)])
    return "\n".join(["#!/bin/bash", *exports, f"exec {command}", ""])


def build_path_map(settings: Settings) -> dict[str, str]:
    """Return the user's map, and where the jobs' folder really is when it is a link to shared storage."""
    given = dict(settings.slurm.path_map or {})
    jobs = settings.home / "jobs"
    return given if jobs.resolve() == jobs else {str(jobs): map_text(str(jobs.resolve()), given)} | given


def slurm_name(row: JobRow) -> str:
    """Return the name by which Slurm knows the attempt."""
    return build_slurm_name(row.id, row.attempt)


def read_request(folder: AttemptFolder) -> dict[str, Any] | None:
    """Read that Slurm was asked, when, and the id it gave; None: it was not asked."""
    return records.read_record(_asked(folder))


def _asked(folder: AttemptFolder) -> Path:
    return folder.path / "slurm.json"
