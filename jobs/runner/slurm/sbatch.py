"""Arguments of ``sbatch`` for an attempt, and the script that runs on the node. stdlib only."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from jobs.runner.attempt.path_mapping import map_text
from jobs.runner.attempt.spec import build_slurm_name
from jobs.settings import SlurmSettings


def arguments(
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


def script(environment: Mapping[str, str], *, python: str, folder: Path, path_map: Mapping[str, str]) -> str:
    """Build the batch script: the environment with the nodes' paths, then the shim in the shell's place.

    Args:
        environment: variables for the node, with this machine's paths.
        python: interpreter on the node.
        folder: the attempt's, as the nodes name it.
        path_map: this machine's path prefixes to the nodes'.
    """
    exports = [f"export {name}={shlex.quote(map_text(value, path_map))}" for name, value in sorted(environment.items())]
    command = shlex.join([python, "-S", "-m", "jobs.runner.shim", "--remote", str(folder)])
    return "\n".join(["#!/bin/bash", *exports, f"exec {command}", ""])
