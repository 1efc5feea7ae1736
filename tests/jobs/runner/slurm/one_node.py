"""A whole Slurm on this machine for one test: munged, slurmctld, slurmd and all their files in one temporary folder.

Needs root (slurmd starts jobs as their users) and Debian's packages; no systemd. The GPU is a device node that is
there anyway: Slurm only counts it and names it in ``CUDA_VISIBLE_DEVICES``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.processes import find_processes

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "munged")
BOUND_S = 30.0
FAKE_GPU = "/dev/zero"

CONF = """\
ClusterName=tts
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
MinJobAge=300
KillWait=5
JobRequeue=1
NodeName={host} NodeAddr=127.0.0.1 Port={slurmd_port} CPUs={n_cpus} RealMemory={memory_mb} Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Why Slurm cannot run here, or nothing. Installs Debian's packages where that is possible."""
    if os.geteuid() != 0:
        return "slurmd needs root to start jobs"
    if not _missing():
        return ""
    if shutil.which("apt-get") is None:
        return f"{', '.join(_missing())} not found, and there is no apt-get to install Slurm with"
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (install, ["apt-get", "update", "-q"], install):
        done = subprocess.run(command, capture_output=True, text=True, env=quiet, timeout=300, check=False)
        if not _missing():
            return ""
    return f"apt-get could not install {', '.join(_missing())}: {done.stderr.strip()[-200:]}"


def _missing() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name, path=_search_path()) is None]


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class OneNode:
    """The daemons. ``SLURM_CONF`` points the commands at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Write the configuration and start everything; returns when the node is idle."""
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        ctld_port, slurmd_port = _free_ports(2)
        self.conf.write_text(
            CONF.format(
                host=socket.gethostname().split(".")[0], folder=self.folder, ctld_port=ctld_port,
                slurmd_port=slurmd_port, n_cpus=os.cpu_count(), memory_mb=pages * page // 2**20 * 3 // 4,
            )
        )  # fmt: skip
        (self.folder / "gres.conf").write_text(f"Name=gpu File={FAKE_GPU}\n")
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._run("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket",
                  f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
                  f"--seed-file={self.folder}/munged.seed")  # fmt: skip
        _until(lambda: (self.folder / "munge.socket").exists(), "munged did not start")
        self.start_controller()
        self.start_node()
        _until(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%t"), f"the node did not come up:\n{self.logs()}")

    def start_controller(self) -> None:
        """Start slurmctld; returns when it answers."""
        self._run("slurmctld", "-D", "-f", str(self.conf))
        _until(lambda: "is UP" in self.ask("scontrol", "ping"), f"slurmctld did not start:\n{self.logs()}")

    def start_node(self) -> None:
        """Start slurmd."""
        self._run("slurmd", "-D", "-f", str(self.conf))

    def kill(self, name: str) -> None:
        """kill -9 of one daemon."""
        daemon = self._daemons.pop(name)
        daemon.kill()
        daemon.wait()

    def ask(self, *command: str) -> str:
        """Output of a Slurm command."""
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment(), check=False, timeout=20)
        return done.stdout + done.stderr

    def logs(self) -> str:
        """What the daemons have to say, for a test that fails."""
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-40:])
            for log in sorted(self.folder.glob("*.log"))
        )

    def stop(self) -> None:
        """End all jobs and daemons, and every process that knows this configuration."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.ask("scancel", "--full", "--signal=KILL", "--user=root")
        for name in ("slurmd", "slurmctld", "munged"):
            if name in self._daemons:
                self.kill(name)
        deadline = time.monotonic() + BOUND_S
        while left := self.processes():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert time.monotonic() < deadline, f"{left} cannot be ended"
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """Everything that was started with this configuration in its environment."""
        return find_processes("SLURM_CONF", self.conf)

    def _run(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=_search_path())
        assert program is not None
        with (self.folder / f"{name}.out.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                [program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment(),
                start_new_session=True,
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        return os.environ | {"SLURM_CONF": str(self.conf), "PATH": _search_path()}


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _until(condition: Callable[[], object], complaint: str) -> None:
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)
