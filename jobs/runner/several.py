"""One worker in several processes: the command that runs it under torchrun, here or on the nodes of a Slurm job.

Every process is a worker of its own that finds its place in ``RANK``, ``LOCAL_RANK`` and ``WORLD_SIZE``; the first
one speaks for all. torchrun is a part of torch, hence of the ``ml`` environment; this module is stdlib only.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

LAST_NODE_S = 120  # between the end of the first node's processes and the forced end of the others'


def command(
    python: str,
    program: Sequence[str],
    *,
    n_processes: int,
    log_dir: str,
    n_nodes: int = 1,
    key: str = "",
    host: str = "",
    port: int = 0,
) -> list[str]:
    """The command for a program in ``n_processes`` processes.

    On several nodes ``srun`` starts one torchrun a node, within the allocation that it is called in, and they meet
    at ``host``, which is the one that calls. Without ``srun`` they are all children of this machine's torchrun.

    Args:
        python: interpreter, the same path on all nodes.
        program: what every process runs: arguments of ``python``.
        n_processes: in all; a multiple of ``n_nodes``.
        log_dir: where torchrun puts its own files.
        n_nodes: nodes of the allocation.
        key: tells this run's meeting from others'; part of a file's name.
        host: name or address of this node that the others reach.
        port: a free one of it.

    Raises:
        ValueError: the processes cannot be spread evenly.
    """
    n_each, rest = divmod(n_processes, n_nodes)
    if rest or n_each < 1:
        raise ValueError(f"{n_processes} processes cannot be spread evenly over {n_nodes} nodes")
    torchrun = [
        python,
        "-m",
        "torch.distributed.run",
        f"--nproc-per-node={n_each}",
        "--max-restarts=0",
        f"--log-dir={log_dir}",
    ]
    if n_nodes == 1:
        return [*torchrun, "--standalone", "--no-python", python, *program]
    meeting = ["--rdzv-backend=c10d", f"--rdzv-id={key}", f"--rdzv-endpoint={host}:{port}", f"--nnodes={n_nodes}"]
    # One node's torchrun ends before the others' when they stop: those have time to save, then they are ended.
    srun = ["srun", f"--ntasks={n_nodes}", "--kill-on-bad-exit=0", f"--wait={LAST_NODE_S}", "--unbuffered"]
    return [*srun, *torchrun, *meeting, "--no-python", python, *program]


def meeting_point() -> tuple[str, int]:
    """This machine's name and a port of it that is free now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return socket.gethostname(), int(probe.getsockname()[1])
