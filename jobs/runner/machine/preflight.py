"""Checks before a job is accepted: disk space, memory, an interpreter, a local file system. stdlib only."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.settings import Settings

# SQLite's WAL needs memory shared between all its readers, which a file system of several hosts cannot give.
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "fuse.sshfs",
     "fuse.glusterfs", "fuse.ceph-fuse", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse"}
)  # fmt: skip
UNFINISHED = ".unfinished"  # run.sh keeps this file in an environment while it fills it
MOUNT_TABLE = Path("/proc/self/mountinfo")


def check(settings: Settings, environment: str, backend: str = "local", memory_mb: int | None = None) -> None:
    """Check that a job of this environment can be accepted now.

    Raises:
        UserError: ``home_on_network``, ``disk_full``, ``memory_too_large`` or ``environment_missing``.
    """
    check_local(settings.home)
    check_disk(settings)
    if backend != "local":
        return  # its machines have their own memory and environments
    if memory_mb is not None:
        check_memory(memory_mb)
    python = settings.python(environment)
    unfinished = settings.envs / environment / UNFINISHED
    if not python.exists() or unfinished.exists():
        why = "is not there" if not python.exists() else "was not set up to its end"
        raise UserError(
            "environment_missing",
            f"This step runs in the environment {environment!r}, which {why}: {settings.envs / environment}.",
            "Call setup, then this again.",
        )


def check_disk(settings: Settings) -> None:
    """Raise ``disk_full`` when there is less free space than the reserve."""
    free = free_bytes(settings.home)
    if free < settings.disk_reserve_bytes:
        raise UserError(
            "disk_full",
            f"{settings.home} has {free / 1e6:.0f} MB free; a job is started only with at least "
            f"{settings.disk_reserve_bytes / 1e6:.0f} MB.",
            "Free some space (./run.sh gc shows what old jobs take), point TTS_TRAIN_HOME at a larger disk, or lower "
            "TTS_TRAIN_DISK_RESERVE_MB.",
        )


def check_memory(memory_mb: int) -> None:
    """Raise ``memory_too_large`` when the machine never has as much memory as a job declares."""
    memory = memory_of_machine()
    if memory is not None and memory_mb > memory.total_mb:
        raise UserError(
            "memory_too_large",
            f"The job declares {memory_mb} MB of memory; this machine has {memory.total_mb:.0f} MB.",
            "Lower memory_mb if it needs less, or run it on another machine (backend slurm).",
        )


@dataclass(frozen=True)
class Memory:
    """Main memory in MB (10^6 bytes)."""

    total_mb: float
    available_mb: float


def memory_of_machine(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> Memory | None:
    """Read the memory of this machine, or of its container where that is less; None where it is unknown."""
    try:
        lines = (line.split() for line in (proc / "meminfo").read_text().splitlines())
        kilobytes = {fields[0].rstrip(":"): int(fields[1]) for fields in lines if len(fields) > 1}
        total, available = kilobytes["MemTotal"] * 1024, kilobytes["MemAvailable"] * 1024
    except (OSError, KeyError, ValueError):
        return None
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            most = int((cgroup / limit).read_text())
            if most < total:
                total, available = most, min(available, most - int((cgroup / used).read_text()))
    return Memory(total / 1e6, max(0, available) / 1e6)


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that a folder is, or will be, on."""
    return shutil.disk_usage(nearest_existing(folder)).free


def check_local(home: Path, mount_table: str | None = None) -> None:
    """Raise ``home_on_network`` when the home is on a network file system (Linux; elsewhere nothing is known)."""
    if mount_table is None:
        try:
            mount_table = MOUNT_TABLE.read_text()
        except OSError:
            return
    file_system = _file_system(nearest_existing(home).resolve(), mount_table)
    if file_system in NETWORK_FILE_SYSTEMS:
        raise UserError(
            "home_on_network",
            f"{home} is on a network file system ({file_system}), where the job store can be damaged.",
            "Set TTS_TRAIN_HOME to a folder on a local disk; datasets and outputs may stay where they are.",
        )


def _file_system(folder: Path, mount_table: str) -> str:
    """Type of the innermost mount that holds a folder; format: proc(5), /proc/pid/mountinfo."""
    best, found = -1, ""
    for line in mount_table.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        mount_point = Path(fields[4].replace("\\040", " "))
        depth = len(mount_point.parts)
        if folder.is_relative_to(mount_point) and depth >= best:
            best, found = depth, right.split()[0]
    return found


def nearest_existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())
