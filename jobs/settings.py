"""Where things are and how much may run: the only module that reads the process environment.

stdlib only; every room may import it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """One reading of the environment, passed to whoever needs it.

    Attributes:
        home: job store, job folders, default outputs, toy models. ``TTS_TRAIN_HOME``, else ``<project>/var``.
        envs: folder of the locked environments. ``TTS_TRAIN_ENVS``, else ``<project>/.envs``.
        roots: folders that tools may read and write. ``TTS_TRAIN_ROOTS`` (separated by ``:``) adds to the
            working directory, the project and ``home``.
        gpu_slots: GPU jobs at a time. ``TTS_TRAIN_GPU_SLOTS``, else 1.
        cpu_slots: CPU jobs at a time. ``TTS_TRAIN_CPU_SLOTS``, else 1.
        disk_reserve_bytes: free space below which no job is started. ``TTS_TRAIN_DISK_RESERVE_MB``, else 500 MB.
        cancel_grace_s: time that cancelled work has to reach a safe point before it is killed.
            ``TTS_TRAIN_CANCEL_GRACE_S``, else 10 s.
        hub_cache: where the Hugging Face libraries keep weights.
        torch_cache: where torch and torchaudio keep weights.
    """

    home: Path
    envs: Path
    roots: tuple[Path, ...]
    gpu_slots: int = 1
    cpu_slots: int = 1
    disk_reserve_bytes: int = 500_000_000
    cancel_grace_s: float = 10.0
    hub_cache: Path = Path.home() / ".cache" / "huggingface" / "hub"
    torch_cache: Path = Path.home() / ".cache" / "torch"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
        """Read the process environment (or ``environ``) once.

        Args:
            environ: variables to read instead of ``os.environ``.
            cwd: working directory that counts as an allowed root, instead of the process's own.
        """
        env = os.environ if environ is None else environ
        base = Path(cwd or env.get("TTS_TRAIN_CWD") or Path.cwd()).resolve()
        home = Path(env.get("TTS_TRAIN_HOME") or PROJECT_ROOT / "var").expanduser()
        home = (base / home).resolve()
        extra = [Path(part).expanduser().resolve() for part in env.get("TTS_TRAIN_ROOTS", "").split(":") if part]
        cache = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        hf_home = Path(env.get("HF_HOME") or cache / "huggingface")
        return cls(
            home=home,
            envs=Path(env.get("TTS_TRAIN_ENVS") or PROJECT_ROOT / ".envs").expanduser().resolve(),
            roots=tuple(dict.fromkeys([base, PROJECT_ROOT, home, *extra])),
            gpu_slots=int(env.get("TTS_TRAIN_GPU_SLOTS", "1")),
            cpu_slots=int(env.get("TTS_TRAIN_CPU_SLOTS", "1")),
            disk_reserve_bytes=int(env.get("TTS_TRAIN_DISK_RESERVE_MB", "500")) * 1_000_000,
            cancel_grace_s=float(env.get("TTS_TRAIN_CANCEL_GRACE_S", "10")),
            hub_cache=Path(env.get("HF_HUB_CACHE") or hf_home / "hub"),
            torch_cache=Path(env.get("TORCH_HOME") or cache / "torch"),
        )

    @classmethod
    def at_the_shell(cls, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
        """The same for a person who types: any path is theirs to name, unless ``TTS_TRAIN_ROOTS`` says which are."""
        settings = cls.from_environment(environ, cwd)
        if (os.environ if environ is None else environ).get("TTS_TRAIN_ROOTS"):
            return settings
        return replace(settings, roots=(settings.roots[0], Path("/")))

    def python(self, environment: str) -> Path:
        """Interpreter of a locked environment, ``server`` or ``ml``."""
        return self.envs / environment / "bin" / "python"

    def to_environment(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment for a child process in which ``from_environment`` gives these settings again.

        The project comes first on ``PYTHONPATH``, so that no dependency's top-level ``jobs`` or ``tools`` wins;
        what was there before follows, made absolute because children have other working directories.
        """
        env = dict(os.environ if environ is None else environ)
        before = [str(Path(part).absolute()) for part in env.get("PYTHONPATH", "").split(os.pathsep) if part]
        python_path = dict.fromkeys([str(PROJECT_ROOT), *before])
        return env | {
            "TTS_TRAIN_HOME": str(self.home),
            "TTS_TRAIN_ENVS": str(self.envs),
            "TTS_TRAIN_CWD": str(self.roots[0] if self.roots else PROJECT_ROOT),
            "TTS_TRAIN_ROOTS": ":".join(str(root) for root in self.roots),
            "TTS_TRAIN_GPU_SLOTS": str(self.gpu_slots),
            "TTS_TRAIN_CPU_SLOTS": str(self.cpu_slots),
            "TTS_TRAIN_DISK_RESERVE_MB": str(-(-self.disk_reserve_bytes // 1_000_000)),
            "TTS_TRAIN_CANCEL_GRACE_S": str(self.cancel_grace_s),
            "HF_HUB_CACHE": str(self.hub_cache),
            "TORCH_HOME": str(self.torch_cache),
            "PYTHONPATH": os.pathsep.join(python_path),
            "PYTHONSAFEPATH": "1",
            "PYTHONUNBUFFERED": "1",
        }
