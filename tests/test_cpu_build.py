"""Choice of torch's build at set-up, with real uv and an index of small wheels on this machine."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from jobs.environments.environment_state import installed_build
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.settings import Settings
from jobs.setup.readiness import find_build, is_ready

ROOT = Path(__file__).resolve().parent.parent
OTHERS = {"torchmetrics": "1.9.0", "numpy": "2.4.6"}
FOR_CUDA = {"torch": "2.8.0", "torchaudio": "2.8.0", "torchvision": "0.23.0"}
ON_PYPI = {**FOR_CUDA, **OTHERS, "triton": "3.4.0", "nvidia-nccl-cu12": "2.27.3"}
FOR_CPU = {"torch": "2.8.0+cpu", "torchaudio": "2.8.0+cpu", "torchvision": "0.23.0+cpu"}
SetUp = Callable[..., subprocess.CompletedProcess[str]]


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a log."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def make_wheel(folder: Path, name: str, version: str) -> Path:
    """Write a wheel with one empty module."""
    module = name.replace("-", "_")
    described = f"{module}-{version}.dist-info"
    contents = {
        f"{module}.py": b"",
        f"{described}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{described}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}\n"
        for path, content in contents.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in {**contents, f"{described}/RECORD": f"{record}{described}/RECORD,,\n".encode()}.items():
            archive.writestr(path, content)
    return wheel


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an index at ``/pypi`` and one of builds for a CPU at ``/cpu``; its lock is in ``code``."""
    served, lock = tmp_path / "served", []
    for place, packages in (("pypi", ON_PYPI), ("cpu", FOR_CPU)):
        for name, version in packages.items():
            wheel = make_wheel(served / place / name, name, version)
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>\n')
            if place == "pypi":
                only = " ; sys_platform == 'linux'" if name.startswith(("nvidia", "triton")) else ""
                lock.append(f"{name}=={version}{only} \\\n    --hash=sha256:{digest}\n    # via tests\n")
    locks = tmp_path / "code" / "jobs" / "environments" / "locks"
    locks.mkdir(parents=True)
    (locks / "ml.lock").write_text("".join(lock))
    (locks.parent / "costs.txt").write_text("ml 1 1\nml-cpu 1 1\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietFiles, directory=served))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def set_up(index: str, tmp_path: Path) -> SetUp:
    """Run ``run.sh setup ml`` with that lock; ``gpu``: an nvidia-smi that names one is there."""

    def run(*, gpu: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
        programs = tmp_path / "programs"
        programs.mkdir(exist_ok=True)
        nvidia_smi = programs / "nvidia-smi"
        nvidia_smi.write_text(f"#!/bin/sh\n{'echo GPU 0: A card' if gpu else 'exit 9'}\n")
        nvidia_smi.chmod(0o755)
        given = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "TTS_"))}
        given |= {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "TTS_TRAIN_CODE": str(tmp_path / "code"),
            "TTS_TRAIN_ENVS": str(tmp_path / "envs"),
            "TTS_TRAIN_TOOLS": str(Settings.from_environment().envs.parent / ".tools"),
            "UV_DEFAULT_INDEX": f"{index}/pypi",
            "UV_CACHE_DIR": str(tmp_path / "cache"),
            "UV_HTTP_RETRIES": "0",
        }
        return subprocess.run(
            [ROOT / "run.sh", "setup", "ml"], capture_output=True, text=True, env=given | variables, check=False
        )

    return run


def installed(tmp_path: Path) -> dict[str, str]:
    """The packages of the environment and their versions."""
    found = (tmp_path / "envs" / "ml").glob("lib/python3.*/site-packages/*.dist-info")
    names = (path.name.removesuffix(".dist-info").partition("-") for path in found)
    return {name.replace("_", "-"): version for name, _, version in names}


def settings_of(tmp_path: Path, **variables: str) -> Settings:
    return Settings.from_environment({"TTS_TRAIN_ENVS": str(tmp_path / "envs"), **variables}, cwd=tmp_path)


def test_without_the_setting_the_locked_build_is_taken_and_what_it_costs_is_said(set_up: SetUp, tmp_path: Path) -> None:
    answer = set_up()

    assert answer.returncode == 0, answer.stderr
    assert installed(tmp_path) == ON_PYPI
    assert "4.7 GB are never used without a GPU; TTS_TRAIN_TORCH_INDEX=" in answer.stderr
    assert installed_build(settings_of(tmp_path), "ml") == ("cuda", "")


@pytest.mark.parametrize("place", ["index", "folder"])
def test_without_a_gpu_the_builds_for_a_cpu_are_taken(set_up: SetUp, index: str, tmp_path: Path, place: str) -> None:
    wheels = tmp_path / "wheels"
    for name, version in FOR_CPU.items():
        make_wheel(wheels, name, version)
    where = str(wheels) if place == "folder" else f"{index}/cpu"

    answer = set_up(TTS_TRAIN_TORCH_INDEX=where)

    assert answer.returncode == 0, answer.stderr
    assert installed(tmp_path) == FOR_CPU | OTHERS
    assert "torch is the build for a CPU, from TTS_TRAIN_TORCH_INDEX" in answer.stderr
    assert installed_build(settings_of(tmp_path), "ml") == ("cpu", where)


def test_with_a_gpu_the_locked_build_is_taken(set_up: SetUp, index: str, tmp_path: Path) -> None:
    answer = set_up(gpu=True, TTS_TRAIN_TORCH_INDEX=f"{index}/cpu")

    assert answer.returncode == 0, answer.stderr
    assert installed(tmp_path) == ON_PYPI
    assert "torch is the build with CUDA" in answer.stderr


def test_the_build_stays_without_the_setting_and_changes_when_a_gpu_comes(
    set_up: SetUp, index: str, tmp_path: Path
) -> None:
    set_up(TTS_TRAIN_TORCH_INDEX=f"{index}/cpu")
    again = set_up()
    kept = installed(tmp_path)
    (tmp_path / "envs" / "ml" / ".installed.lock").write_text("of an older version")

    renewed = set_up()
    kept_by_new_lock = installed(tmp_path)
    with_gpu = set_up(gpu=True)

    assert again.stderr == ""
    assert kept["torch"] == kept_by_new_lock["torch"] == "2.8.0+cpu"
    assert "setup: 'ml' is ready" in renewed.stderr
    assert with_gpu.returncode == 0, with_gpu.stderr
    assert installed(tmp_path) == ON_PYPI


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("wheels", "setup: TTS_TRAIN_TORCH_INDEX is neither an address (https://…) nor the absolute path of a folder"),
        ("/pypi", "torch==2.8.0+cpu"),
        ("https://me:secret@mirror.example/cpu", "TTS_TRAIN_TORCH_INDEX holds a password"),
    ],
)
def test_a_setting_that_offers_nothing_is_refused(
    set_up: SetUp, index: str, tmp_path: Path, place: str, said: str
) -> None:
    answer = set_up(TTS_TRAIN_TORCH_INDEX=f"{index}{place}" if place.startswith("/") else place)

    assert answer.returncode == 1
    assert said in answer.stderr
    assert "secret" not in answer.stderr
    assert not (tmp_path / "envs" / "ml" / ".installed.lock").exists()


def test_the_job_chooses_as_the_script_does(set_up: SetUp, index: str, tmp_path: Path) -> None:
    none, one = Gpus(lambda _: None), Gpus(lambda _: "GPU 0: A card (UUID: GPU-0a)")
    asked = settings_of(tmp_path, TTS_TRAIN_TORCH_INDEX=f"{index}/cpu")
    before = [find_build(settings, "ml", gpus) for settings in (asked, settings_of(tmp_path)) for gpus in (none, one)]

    set_up(TTS_TRAIN_TORCH_INDEX=f"{index}/cpu")
    after = [find_build(settings_of(tmp_path), "ml", gpus) for gpus in (none, one)]

    assert before == ["cpu", "cuda", "cuda", "cuda"]
    assert after == ["cpu", "cuda"]
    assert find_build(asked, "server", none) == "cuda"
    assert not is_ready(settings_of(tmp_path), "ml", "cpu")  # another lock than the program's
