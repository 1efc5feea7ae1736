"""The command for a worker in several processes, and such a worker on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.runner.client.runner import Runner
from jobs.runner.shim import torchrun
from jobs.settings import PROJECT_ROOT

Until = Callable[[Callable[[], object]], object]
WAIT_S = 120.0
PROGRAM = ["-m", "jobs.runner.worker", "/jobs/a/attempt-1"]


def test_on_one_machine_torchrun_starts_all_processes() -> None:
    command = torchrun.build_command("/env/python", PROGRAM, n_processes=4, log_dir="/jobs/a/attempt-1/torchrun")

    assert command[:3] == ["/env/python", "-m", "torch.distributed.run"]
    assert "--nproc-per-node=4" in command
    assert "--standalone" in command
    assert command[-4:] == ["/env/python", *PROGRAM]


def test_on_several_nodes_srun_starts_a_torchrun_on_each_and_they_meet_at_the_first() -> None:
    command = torchrun.build_command(
        "/env/python", PROGRAM, n_processes=8, n_nodes=2, log_dir="/d", endpoint="node1:29500"
    )

    assert command[:2] == ["srun", "--ntasks=2"]
    assert "--nproc-per-node=4" in command
    assert "--nnodes=2" in command
    assert "--rdzv-endpoint=node1:29500" in command
    assert not any("rdzv-id" in part for part in command)  # other users can see command lines


def test_processes_that_cannot_be_spread_evenly_are_refused() -> None:
    with pytest.raises(ValueError, match="3 processes"):
        torchrun.build_command("/env/python", PROGRAM, n_processes=3, n_nodes=2, log_dir="/d")


def test_two_processes_on_this_machine_work_together_and_stop_together(
    runner: Runner, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torchrun is in the ml environment: ./run.sh setup ml")
    kinds = Path(__file__).resolve().parents[1] / "slurm"
    monkeypatch.syspath_prepend(kinds)
    monkeypatch.setenv("PYTHONPATH", f"{Path(sys.path[0])}:{kinds}:{PROJECT_ROOT}")
    import slurm_kinds

    params = slurm_kinds.TogetherParams(n_processes=2, gate=str(tmp_path / "never"))
    job_id = runner.submit(slurm_kinds.TOGETHER, params).job.job_id
    until(lambda: (progress := runner.progress(job_id)) is not None and progress.done > 1)

    runner.cancel(job_id)

    job = runner.wait(job_id, WAIT_S)
    assert (job.state, job.reason) == ("cancelled", "cancelled")
    assert "stopped at a safe point, as asked" in "\n".join(runner.log_tail(job_id, 200))
