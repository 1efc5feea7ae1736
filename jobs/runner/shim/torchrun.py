"""Worker in several processes: its command under torchrun, here or on the nodes of a Slurm job.

Every process is a worker of its own that finds its place in ``RANK``, ``LOCAL_RANK`` and ``WORLD_SIZE``; the first
one writes the result. torchrun is a part of torch, hence of the ``ml`` environment; this module is stdlib only.
"""

import logging
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Sequence

from jobs.runner.attempt.outcome import CANCELLED_EXIT
from jobs.runner.attempt.spec import AttemptSpec
from jobs.runner.machine import processes
from jobs.runner.paths import AttemptFolder
from jobs.runner.shim.cancellation import StopReason
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.shim")

LAST_NODE_S = 120  # between the end of the first node's processes and the forced end of the others'


def make_rendezvous() -> dict[str, str]:
    """Return the variable by which torchrun names a new rendezvous.

    What the nodes send each other there is unpickled, and the port has no password. So the name cannot be guessed, and
    stands in no command line, which other users can see.
    """
    return {"PET_RDZV_ID": secrets.token_hex(16)}


def build_command(
    python: str,
    program: Sequence[str],
    *,
    n_processes: int,
    log_dir: str,
    n_nodes: int = 1,
    endpoint: str = "",
) -> list[str]:
    """Build the command for a program (arguments of ``python``) in ``n_processes`` processes in all.

    On several nodes ``srun`` starts one torchrun a node, within the allocation that it is called in, and they meet
    at ``endpoint`` (``host:port``) of the calling one.
    Without ``srun`` they are all children of this machine's torchrun.

    Raises:
        ValueError: the processes cannot be spread evenly.
    """
    n_each, rest = divmod(n_processes, n_nodes)
    if rest or n_each < 1:
        raise ValueError(f"{n_processes} processes cannot be spread evenly over {n_nodes} nodes")
    limits = [f"--nproc-per-node={n_each}", "--max-restarts=0", f"--log-dir={log_dir}"]
    torchrun = [python, "-m", "torch.distributed.run", *limits]
    if n_nodes == 1:
        return [*torchrun, "--standalone", "--no-python", python, *program]
    rendezvous = ["--rdzv-backend=c10d", f"--rdzv-endpoint={endpoint}", f"--nnodes={n_nodes}"]
    # One node's torchrun ends before the others' when they stop: those have time to save, then they are ended.
    srun = ["srun", f"--ntasks={n_nodes}", "--kill-on-bad-exit=0", f"--wait={LAST_NODE_S}", "--unbuffered"]
    return [*srun, *torchrun, *rendezvous, "--no-python", python, *program]


def build_worker_command(spec: AttemptSpec, folder: AttemptFolder, settings: Settings, is_remote: bool) -> list[str]:
    """Build the command that a shim starts for its attempt."""
    python = (settings.slurm.python if is_remote else "") or str(settings.python(spec.environment))
    program = ["-m", "jobs.runner.worker", str(folder.path)]
    if spec.n_processes == 1:
        return [python, *program]
    return build_command(
        python,
        program,
        n_processes=spec.n_processes,
        log_dir=str(folder.path / "torchrun"),
        n_nodes=settings.slurm.nodes if is_remote else 1,
        endpoint=_rendezvous_endpoint(),
    )


def stop_all_nodes(spec: AttemptSpec, worker: subprocess.Popen[bytes]) -> None:
    """Pass a stop on through Slurm: srun would answer a SIGTERM by killing everything at once."""
    try:
        # not waited for: the worker's end is what we wait for; it signals the steps, not this process
        subprocess.Popen(["scancel", "--signal=TERM", f"--name={spec.slurm_name}"])
    except OSError as error:
        logger.warning("%s: %s", spec.job_id, error)
        processes.signal_group(worker.pid, signal.SIGTERM)


def merge_exit_codes(folder: AttemptFolder, code: int, asked: StopReason | None) -> int:
    """Replace torchrun's own exit code after a stop, and take the error of the process that failed first."""
    if folder.failure.exists():
        return code
    failures = sorted(folder.path.glob("rank-*/failure.json"), key=lambda path: path.stat().st_mtime)
    if asked is None and failures:
        os.link(failures[0], folder.failure)
    return CANCELLED_EXIT if asked == "stop" else code


def _rendezvous_endpoint() -> str:
    """This machine's name and a port of it that is free now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return f"{socket.gethostname()}:{probe.getsockname()[1]}"
