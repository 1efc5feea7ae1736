"""Settings: paths and limits, read from the process environment. stdlib only.

No other module reads the environment; every package may import this one. ``jobs.config`` adds ``config.toml``.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from jobs import installation
from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.trust import owners
from jobs.trust.roots import list_folders, read_folders
from jobs.trust.wide_folders import is_too_wide
from jobs.variables import is_secret, is_shared

PROJECT_ROOT = installation.CODE
BACKENDS = ("local", "slurm")
SHORTEST_SECRET = 8  # shorter values are words like "true"
ENVIRONMENTS = ("server", "ml", "dev")
_JSON_NAMES = {str: "string", int: "number", list: "array", dict: "object"}


@dataclass(frozen=True)
class SlurmSettings:
    """Settings of Slurm jobs: table ``[slurm]`` of ``config.toml``. Empty means: as the cluster has it.

    Attributes:
        partition: ``--partition``.
        account: ``--account``.
        qos: ``--qos``.
        gres: ``--gres`` of a job that needs a GPU.
        time: ``--time``, longest run of one attempt; the work is asked to stop before, and continues in the next.
        mem: ``--mem``; never left to the cluster, whose default may be the whole node.
        cpus: ``--cpus-per-task``; 0: as the cluster has it.
        nodes: ``--nodes``.
        stop_s: seconds before the end of ``time`` at which the work is asked to stop at its next safe point.
        extra: further arguments of ``sbatch``, as they are.
        path_map: local path prefix to the same folder's prefix on the nodes, where they differ.
        python: interpreter of the ``ml`` environment on the nodes; empty: the same path as here.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    gres: str = "gpu:1"
    time: str = "24:00:00"
    mem: str = "16G"
    cpus: int = 0
    nodes: int = 1
    stop_s: int = 120
    extra: tuple[str, ...] = ()
    path_map: Mapping[str, str] | None = None
    python: str = ""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}


@dataclass(frozen=True)
class Settings:
    """Settings of a process, read once from the environment.

    Entries of ``config.toml`` in the home (see ``jobs.config``) hold for all users of the home; a variable wins.

    Attributes:
        home: job store, job folders, default outputs, toy models. ``TTS_TRAIN_HOME``, else ``<project>/var``.
        envs: folder of the locked environments. ``TTS_TRAIN_ENVS``, else ``<project>/.envs``.
        roots: folders that tools may read and write; relative paths start from the first. ``TTS_TRAIN_ROOTS``
            (separated by ``:``, or a JSON list) and ``roots`` of ``config.toml`` add to the project, ``home``, and the
            working directory unless it is too wide (``jobs.trust.wide_folders``).
        gpu_slots: GPU jobs at a time; None: as many as the driver shows GPUs, at least 1. ``TTS_TRAIN_GPU_SLOTS``
            (a number or ``auto``) or ``gpu_slots``.
        cpu_slots: CPU jobs at a time. ``TTS_TRAIN_CPU_SLOTS`` or ``cpu_slots``, else 1.
        check_gpu_free: whether a job waits while a process that is not ours computes on its GPU.
            ``TTS_TRAIN_CHECK_GPU_FREE`` (1 or 0) or ``check_gpu_free``, else true.
        disk_reserve_bytes: free space below which no job is started. ``TTS_TRAIN_DISK_RESERVE_MB`` or
            ``disk_reserve_mb``, else 500 MB.
        cancel_grace_s: time that cancelled work has to reach a safe point before it is killed.
            ``TTS_TRAIN_CANCEL_GRACE_S`` or ``cancel_grace_s``, else 8 s.
        log_limit_bytes: longest log of an attempt; of a longer one head and tail are kept. ``TTS_TRAIN_LOG_LIMIT_MB``
            or ``log_limit_mb``, else 50 MB.
        sandbox: whether a worker can write only its own folder and its outputs, where the kernel can hold it to that
            (Landlock). ``TTS_TRAIN_SANDBOX`` (1 or 0) or ``sandbox``, else true.
        backend: where jobs run that do not say: ``local`` or ``slurm``. ``TTS_TRAIN_BACKEND`` or ``backend``.
        slurm: table ``[slurm]``; ``TTS_TRAIN_SLURM`` (the same as JSON).
        gpus: the GPUs that the submitter's jobs may use, as in ``CUDA_VISIBLE_DEVICES``; None: all.
        rank: place of this process among those that do one job's work together; ``RANK``, which torchrun sets.
        hub_cache: where the Hugging Face libraries keep weights.
        torch_cache: where torch and torchaudio keep weights.
        torch_index: index with builds of torch for a CPU (``jobs.environments.builds``). ``TTS_TRAIN_TORCH_INDEX``.
    """

    home: Path
    envs: Path
    roots: tuple[Path, ...]
    gpu_slots: int | None = None
    cpu_slots: int = 1
    check_gpu_free: bool = True
    disk_reserve_bytes: int = 500_000_000
    cancel_grace_s: float = 8.0
    log_limit_bytes: int = 50_000_000
    sandbox: bool = True
    backend: str = "local"
    slurm: SlurmSettings = field(default_factory=SlurmSettings)
    gpus: str | None = None
    rank: int = 0
    hub_cache: Path = Path.home() / ".cache" / "huggingface" / "hub"
    torch_cache: Path = Path.home() / ".cache" / "torch"
    uv_cache: Path = Path.home() / ".cache" / "uv"
    torch_index: str = ""

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        *,
        read_defaults: Callable[[Path], Mapping[str, str]] = lambda home: {},
        is_at_the_shell: bool = False,
    ) -> Settings:
        """Read the process environment (or ``environ``) once.

        Args:
            environ: variables to read instead of ``os.environ``.
            cwd: working directory, instead of the process's own.
            read_defaults: returns, for the home, the values of variables that are not set. Its ``TTS_TRAIN_ROOTS`` are
                added to those that are.
            is_at_the_shell: a person calls, who may name any path unless ``TTS_TRAIN_ROOTS`` says which are.

        Raises:
            UserError: ``settings_invalid``.
        """
        env = {name: value for name, value in (os.environ if environ is None else environ).items() if value}
        base = Path(cwd or env.get("TTS_TRAIN_CWD") or Path.cwd()).resolve()
        data = installation.data_folder(env)
        home = (base / expand_user(env.get("TTS_TRAIN_HOME") or data / "var")).resolve()
        defaults = read_defaults(home)
        given = (values.get("TTS_TRAIN_ROOTS", "") for values in (env, defaults))
        named = [root.resolve() for text in given for root in read_folders(text)]
        roots = [installation.FILES, home, *named]
        if is_at_the_shell and "TTS_TRAIN_ROOTS" not in env:
            roots = [Path("/")]
        elif not is_at_the_shell and is_too_wide(base) and not any(base.is_relative_to(root) for root in named):
            base = home
        env = {**defaults, **env}
        cache = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        hf_home = Path(env.get("HF_HOME") or cache / "huggingface")

        def number(name: str, default: float) -> float:
            return _number(name, env.get(f"TTS_TRAIN_{name.upper()}", default))

        backend = env.get("TTS_TRAIN_BACKEND", "local")
        if backend not in BACKENDS:
            raise UserError("settings_invalid", f"There is no backend {backend!r}.", f"Use {' or '.join(BACKENDS)}.")
        return cls(
            home=home,
            envs=expand_user(env.get("TTS_TRAIN_ENVS") or data / ".envs").resolve(),
            roots=tuple(dict.fromkeys([base, *roots])),
            gpu_slots=None if env.get("TTS_TRAIN_GPU_SLOTS", "auto") == "auto" else int(number("gpu_slots", 1)),
            cpu_slots=int(number("cpu_slots", 1)),
            check_gpu_free=bool(number("check_gpu_free", 1)),
            disk_reserve_bytes=int(number("disk_reserve_mb", 500)) * 1_000_000,
            cancel_grace_s=number("cancel_grace_s", 8),
            log_limit_bytes=int(number("log_limit_mb", 50)) * 1_000_000,
            sandbox=bool(number("sandbox", 1)),
            backend=backend,
            slurm=_slurm(env.get("TTS_TRAIN_SLURM", "{}")),
            gpus=(os.environ if environ is None else environ).get("CUDA_VISIBLE_DEVICES"),
            rank=int(env.get("RANK", 0)),
            hub_cache=Path(env.get("HF_HUB_CACHE") or hf_home / "hub"),
            torch_cache=Path(env.get("TORCH_HOME") or cache / "torch"),
            uv_cache=Path(env.get("UV_CACHE_DIR") or cache / "uv"),
            torch_index=env.get("TTS_TRAIN_TORCH_INDEX", ""),
        )

    def python(self, environment: str) -> Path:
        """Return the interpreter of a locked environment. Only settings say where it lies, no job and no file.

        Raises:
            UserError: ``owner_untrusted``: another user could change it.
            ValueError: there is no such environment.
        """
        if environment not in ENVIRONMENTS:
            raise ValueError(f"no environment {environment!r}: {', '.join(ENVIRONMENTS)}")
        if environment == "server" and not installation.IS_CHECKOUT:
            return Path(sys.executable)  # it is installed in the server's environment
        owners.check_environment(self.envs / environment)
        return self.envs / environment / "bin" / "python"

    def secret(self, file: str, variable: str) -> str:
        """Read a key that is kept in a file or an environment variable; empty when neither is named.

        Raises:
            UserError: ``secret_missing``, or as ``owners.read_secret``; no message holds the key.
        """
        if not file:
            if variable and not os.environ.get(variable):
                raise UserError("secret_missing", f"The environment variable {variable} is not set.", "Set it.")
            return os.environ.get(variable, "") if variable else ""
        try:
            return owners.read_secret(path := Path(self.home, expand_user(file)))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError("secret_missing", f"{path} cannot be read.", "Write the key into it.") from error

    def to_environment(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Build the whole environment for a child process in which ``from_environment`` gives these settings again.

        The project comes first on ``PYTHONPATH``, so that no dependency's top-level ``jobs`` or ``tools`` wins;
        what was there before follows, made absolute because children have other working directories.
        """
        env = dict(os.environ if environ is None else environ)
        before = [str(Path(part).absolute()) for part in env.get("PYTHONPATH", "").split(os.pathsep) if part]
        python_path = dict.fromkeys([str(installation.find_import_folder(self.envs)), *before])
        gpus = {} if self.gpus is None else {"CUDA_VISIBLE_DEVICES": self.gpus}
        return (
            env
            | gpus
            | {
                "TTS_TRAIN_HOME": str(self.home),
                "TTS_TRAIN_ENVS": str(self.envs),
                "TTS_TRAIN_CWD": str(self.roots[0] if self.roots else PROJECT_ROOT),
                "TTS_TRAIN_ROOTS": list_folders(self.roots),
                "TTS_TRAIN_GPU_SLOTS": "auto" if self.gpu_slots is None else str(self.gpu_slots),
                "TTS_TRAIN_CPU_SLOTS": str(self.cpu_slots),
                "TTS_TRAIN_CHECK_GPU_FREE": str(int(self.check_gpu_free)),
                "TTS_TRAIN_DISK_RESERVE_MB": str(-(-self.disk_reserve_bytes // 1_000_000)),
                "TTS_TRAIN_CANCEL_GRACE_S": str(self.cancel_grace_s),
                "TTS_TRAIN_LOG_LIMIT_MB": str(-(-self.log_limit_bytes // 1_000_000)),
                "TTS_TRAIN_SANDBOX": str(int(self.sandbox)),
                "TTS_TRAIN_BACKEND": self.backend,
                "TTS_TRAIN_SLURM": json.dumps({k: v for k, v in asdict(self.slurm).items() if v is not None}),
                "HF_HUB_CACHE": str(self.hub_cache),
                "TORCH_HOME": str(self.torch_cache),
                "UV_CACHE_DIR": str(self.uv_cache),
                "TTS_TRAIN_TORCH_INDEX": self.torch_index,
                "PYTHONPATH": os.pathsep.join(python_path),
                "PYTHONSAFEPATH": "1",
                "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",  # no library may unpickle objects
                "PYTHONUNBUFFERED": "1",
            }
        )

    def to_shared_environment(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Build the environment of the supervisor, which works for all clients: without one person's keys and choices.

        What a job needs of its submitter goes with the job: roots, caches, and which GPUs it may use.
        """
        env = replace(self, gpus=None).to_environment(environ)
        return {name: value for name, value in env.items() if is_shared(name)}


@functools.cache
def secrets_of() -> tuple[str, ...]:
    """Return the values of secret variables, longest first; no answer or log may contain one."""
    found = {value for name, value in os.environ.items() if is_secret(name) and len(value) >= SHORTEST_SECRET}
    return tuple(sorted(found, key=len, reverse=True))


def _slurm(text: str) -> SlurmSettings:
    """Read ``TTS_TRAIN_SLURM``. Its entries have the types of the defaults; a list becomes a tuple of texts."""
    defaults = asdict(SlurmSettings())
    try:
        entries: dict[str, Any] = dict(json.loads(text))
    except (TypeError, ValueError) as error:
        raise UserError("settings_invalid", f"TTS_TRAIN_SLURM = {text!r} is no JSON object.", "Correct it.") from error
    for name, value in entries.items():
        if name not in defaults:
            hint = f"Known are {', '.join(defaults)}."
            raise UserError("settings_invalid", f"TTS_TRAIN_SLURM has an unknown entry {name!r}.", hint)
        wanted = {tuple: list, type(None): dict}.get(type(defaults[name]), type(defaults[name]))
        if type(value) is not wanted:
            message = f"TTS_TRAIN_SLURM: {name} = {value!r} should be a JSON {_JSON_NAMES[wanted]}."
            raise UserError("settings_invalid", message, "Correct it.")
    return SlurmSettings(**entries | {k: tuple(map(str, v)) for k, v in entries.items() if type(v) is list})


def _number(name: str, value: Any) -> float:
    with contextlib.suppress(TypeError, ValueError):
        if 0 <= (number := float(value)) < float("inf"):
            return number
    raise UserError("settings_invalid", f"{name} = {value!r} is not a number of at least 0.", "Correct it.")


def folder_named(variable: str) -> Path | None:
    """Return the folder in another program's variable, such as ``CODEX_HOME``; None: unset."""
    return expand_user(value) if (value := os.environ.get(variable)) else None


def export_variable(name: str, value: str) -> None:
    """Set a variable of this process, for a library that reads it when it is loaded or first used."""
    os.environ[name] = value
