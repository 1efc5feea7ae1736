"""Report on the installation: parts that are there or missing, their cost, and the command that gets them.

    python -m jobs.environments.doctor [--json]

Looks only; changes nothing, downloads nothing. Exit code 0 when the demo can run, 1 when something it needs
is missing, 2 when ``config.toml`` is invalid.
"""

import argparse
import json
import platform
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Literal

from jobs.config import read_settings
from jobs.environments.environment_state import (
    environment_cost_mb,
    environment_state,
    installed_build,
    wanted_build,
)
from jobs.errors import UserError
from jobs.installation import IS_CHECKOUT, PROGRAM
from jobs.settings import PROJECT_ROOT, Settings
from jobs.trust import landlock, owners

State = Literal["ok", "missing", "info"]


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked at.
        state: ok, missing, or info (optional, or for knowledge only).
        detail: what was found.
        needed_for: what does not work without it.
        cost: what getting it costs.
        fix: the command that gets it.
    """

    name: str
    state: State
    detail: str
    needed_for: str = ""
    cost: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Weights:
    """Published weights that a real run needs. Sizes in GB, measured from the published file lists."""

    repository: str
    size_gb: float
    needed_for: str


WEIGHTS = (
    Weights("Qwen/Qwen3-TTS-Tokenizer-12Hz", 0.7, "convert_codes"),
    Weights("Qwen/Qwen3-TTS-12Hz-0.6B-Base", 2.5, "start_training, synthesize (0.6B)"),
    Weights("Qwen/Qwen3-TTS-12Hz-1.7B-Base", 4.5, "start_training, synthesize (1.7B)"),
    Weights("Systran/faster-whisper-large-v3", 3.1, "ingest_audiobook without the book's text"),
)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
UNUSED_GB = 4.7  # NVIDIA's libraries and triton, measured in the environment
ALIGNER_FILE = "wav2vec2_fairseq_base_ls960_asr_ls960.pth"  # torchaudio's English model, which WhisperX uses


def examine(settings: Settings) -> list[Check]:
    """Look at everything; each look takes well under a second."""
    gpu = _gpu()
    has_gpu = gpu.state == "ok"
    return [
        _system(),
        _disk(settings),
        _roots(settings),
        _sharing(settings),
        _uv(settings),
        _environment(settings, "server", "every command", has_gpu),
        _environment(settings, "ml", "every job", has_gpu),
        check_torch(settings, has_gpu),
        gpu,
        _ffmpeg(),
        _sandbox(settings),
        *(_weights(settings, weights) for weights in WEIGHTS),
        _aligner(settings),
    ]


def _system() -> Check:
    detail = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return Check("system", "ok", detail)


def _disk(settings: Settings) -> Check:
    folder = settings.home
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    state: State = "ok" if free > settings.disk_reserve_bytes else "missing"
    fix = "" if state == "ok" else "free some space, or set TTS_TRAIN_HOME to a folder on a larger disk"
    return Check("disk", state, f"{free / 1e9:.1f} GB free at {settings.home}", "every job", fix=fix)


def _roots(settings: Settings) -> Check:
    more = f'TTS_TRAIN_ROOTS or roots = ["…"] in {settings.home / "config.toml"} adds one'
    detail = f"an agent's tools may use {', '.join(map(str, settings.roots))}; {more}"
    return Check("folders", "info", detail)


def _sharing(settings: Settings) -> Check:
    """Say who else could change what runs as this user; a home that others can change was refused before."""
    fault = owners.find_fault(PROJECT_ROOT)
    if not fault:
        return Check("sharing", "ok", f"only you can change {settings.home} and the project")
    fix = "if you do not trust them as yourself, move the project to a folder that only you can write"
    return Check("sharing", "info", f"the project can be changed by others: {fault}", fix=fix)


def _uv(settings: Settings) -> Check:
    own = [*PROJECT_ROOT.glob(".tools/uv/bin/uv"), *settings.envs.glob("tools/uv/bin/uv")]
    found = shutil.which("uv") or next(iter(own), None)
    if found:
        return Check("uv", "ok", str(found))
    return Check("uv", "info", "not found", "set-up", "25 MB", f"{PROGRAM} setup (installs it)")


def _environment(settings: Settings, name: str, needed_for: str, has_gpu: bool) -> Check:
    state = environment_state(settings, name)
    fix = f"{PROGRAM} setup {name if IS_CHECKOUT else f'--environment {name}'}"
    if state == "ready":
        return Check(f"environment {name}", "ok", str(settings.envs / name), needed_for)
    download_mb, disk_mb = environment_cost_mb(name, wanted_build(settings, name, has_gpu=has_gpu))
    cost = f"{download_mb} MB to download, {disk_mb} MB of disk"
    detail = "not made" if state == "absent" else "unfinished, or made from another lock"
    return Check(f"environment {name}", "missing", detail, needed_for, cost, fix)


def check_torch(settings: Settings, has_gpu: bool) -> Check:
    """Say which build of torch is installed or would be, and what the other one would save or give."""
    is_here = environment_state(settings, "ml") == "ready"
    build = installed_build(settings, "ml")[0] if is_here else wanted_build(settings, "ml", has_gpu=has_gpu)
    detail = f"{'build' if is_here else 'set-up takes the build'} {'for a CPU' if build == 'cpu' else 'with CUDA 12.8'}"
    if build == "cpu" and has_gpu:
        again = f"{PROGRAM} setup{' ml' if IS_CHECKOUT else ''}"
        return Check("torch", "info", f"{detail}, and a GPU is here", "jobs on the GPU", fix=f"{again} (takes CUDA's)")
    if build == "cuda" and not has_gpu and platform.system() == "Linux":
        fix = f"set TTS_TRAIN_TORCH_INDEX={CPU_INDEX} or torch_index in config.toml, then {PROGRAM} setup"
        return Check("torch", "info", f"{detail}: {UNUSED_GB} GB of disk are for GPUs, of which none is here", fix=fix)
    return Check("torch", "ok", detail)


def _gpu() -> Check:
    needed_for = "real voices: training and synthesis in hours instead of days"
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Check("gpu", "info", "no nvidia-smi: jobs run on the CPU (enough for the demo)", needed_for)
    query = [tool, "--query-gpu=name,memory.total,memory.used", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("gpu", "info", f"nvidia-smi did not answer: {error}", needed_for)
    if answer.returncode != 0:
        return Check("gpu", "info", f"nvidia-smi failed: {answer.stderr.strip()[:200]}", needed_for)
    return Check("gpu", "ok", "; ".join(answer.stdout.strip().splitlines()), needed_for)


def _ffmpeg() -> Check:
    found = shutil.which("ffmpeg")
    detail = f"{found} (not used)" if found else "not installed"
    return Check("ffmpeg", "ok", f"{detail}: decoding is PyAV's, no ffmpeg program is needed")


def _sandbox(settings: Settings) -> Check:
    needed_for = "jobs that write nothing but their own folder and outputs"
    if not settings.sandbox:
        detail, fix = "off by sandbox = false: jobs write wherever you can", "remove sandbox = false from config.toml"
    elif version := landlock.version():
        return Check("sandbox", "ok", f"on: jobs write only their own folder and outputs (Landlock {version})")
    else:
        detail, fix = "off: this kernel has no Landlock, so jobs write wherever you can", "Linux 5.19 or later"
    return Check("sandbox", "info", detail, needed_for, fix=fix)


def _weights(settings: Settings, weights: Weights) -> Check:
    folder = settings.hub_cache / f"models--{weights.repository.replace('/', '--')}"
    complete = any(folder.glob("snapshots/*/*.safetensors")) or any(folder.glob("snapshots/*/model.bin"))
    if complete:
        return Check(f"weights {weights.repository}", "ok", str(folder), weights.needed_for)
    fix = f"{shlex.quote(str(settings.envs / 'ml' / 'bin' / 'hf'))} download {weights.repository}"
    cost = f"{weights.size_gb} GB to download (done by itself at first use)"
    return Check(f"weights {weights.repository}", "info", "not in the cache", weights.needed_for, cost, fix)


def _aligner(settings: Settings) -> Check:
    path, name = settings.torch_cache / "hub" / "checkpoints" / ALIGNER_FILE, "weights WhisperX aligner (English)"
    needed_for = "align with WhisperX in English (without it: pocketsphinx, offline)"
    if path.is_file():
        return Check(name, "ok", str(path), needed_for)
    fix = f"{PROGRAM} align --aligner whisperx ... (downloads it)"
    return Check(name, "info", "not in the cache", needed_for, "0.4 GB to download", fix)


def render(findings: list[Check]) -> str:
    """The report for people: one line a finding, and below it what to do when something is missing."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:8}{finding.name}: {finding.detail}")
        if finding.state != "ok" and (finding.fix or finding.cost):
            need = f"needed for {finding.needed_for}; " if finding.needed_for else ""
            lines.append(f"{'':8}  {need}{finding.cost + '; ' if finding.cost else ''}{finding.fix}".rstrip("; "))
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Print the report; 0 when nothing that every job needs is missing."""
    parser = argparse.ArgumentParser(
        prog="run.sh doctor", description="What is installed, what is missing, how to get it."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(arguments)
    try:
        findings = examine(read_settings())
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    is_ready = all(finding.state != "missing" for finding in findings)
    if options.json:
        report = {"ready": is_ready, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        sys.stdout.write(render(findings))
    return 0 if is_ready else 1


if __name__ == "__main__":
    sys.exit(main())
