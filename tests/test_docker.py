"""The image's recipe: what it copies exists, it runs as an ordinary user, and compose mounts what it declares."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.environments.doctor import CPU_INDEX
from jobs.settings import Settings
from server.mcp.http import HEALTH

ROOT = Path(__file__).resolve().parent.parent
RECIPE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
LINES = re.sub(r"\\\n", " ", RECIPE).splitlines()


def of(instruction: str) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in LINES if line.startswith(f"{instruction} ")]


@pytest.fixture
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")))


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    copied = {name for line in of("COPY") for name in shlex.split(line)[:-1]}
    kept = (ROOT / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {line.removeprefix("!") for line in kept if line.startswith("!")} == copied
    assert {"jobs", "server", "tools", "run.sh", "pyproject.toml"} <= copied


def test_it_runs_as_an_ordinary_user_that_owns_what_it_writes() -> None:
    assert of("USER") == ["1000"]
    assert LINES.index("USER 1000") < next(at for at, line in enumerate(LINES) if "setup server" in line)
    assert "chown -R tts:tts /data /audiobooks /opt/envs" in RECIPE


def test_its_health_is_asked_of_the_server_s_own_page() -> None:
    assert HEALTH in "".join(line for line in LINES if line.startswith("HEALTHCHECK") or "urlopen" in line)
    command = json.loads(of("CMD")[-1])
    assert command[command.index("--host") + 1] == "0.0.0.0"  # refused without names of hosts and a token
    assert {"--token-file", "--allow-host", "localhost", "127.0.0.1"} <= set(command)


def test_compose_builds_this_recipe_and_keeps_home_cache_and_environments(compose: dict[str, Any]) -> None:
    kept = set()
    for service in compose["services"].values():
        build = service["build"]
        assert (ROOT / "docker" / build["context"] / build["dockerfile"]).resolve() == ROOT / "docker" / "Dockerfile"
        assert f"AS {build['target']}" in RECIPE
        mounts = [volume.rsplit(":", 1) for volume in service["volumes"]]
        assert {target for _, target in mounts} == {"/data/home", "/data/cache", "/opt/envs", "/audiobooks"}
        kept |= {name for name, _ in mounts if "/" not in name}
        assert service["ports"] == ["127.0.0.1:8765:8765"]
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert kept == set(compose["volumes"])


def test_the_variants_differ_in_image_torch_and_environments(compose: dict[str, Any]) -> None:
    cpu, gpu = compose["services"]["cpu"], compose["services"]["gpu"]

    assert (cpu["image"], gpu["image"]) == ("tts-train:cpu", "tts-train:cuda")
    assert cpu["build"]["args"] == {"TORCH_INDEX": f"${{TORCH_INDEX-{CPU_INDEX}}}"}
    assert "args" not in gpu["build"]
    assert 'ARG TORCH_INDEX=""' in LINES
    assert LINES.index("ENV TTS_TRAIN_TORCH_INDEX=${TORCH_INDEX}") < LINES.index("FROM light AS full")
    assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert not set(cpu["volumes"]) & {volume for volume in gpu["volumes"] if volume.endswith(":/opt/envs")}


def test_hadolint_finds_nothing() -> None:
    program = install_hadolint(Settings.from_environment().envs.parent / ".tools" / "hadolint")

    answer = subprocess.run(
        [program, ROOT / "docker" / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False
    )
    bad = subprocess.run(
        [program, "-"], input="FROM debian\nRUN cd /tmp\n", capture_output=True, text=True, timeout=60, check=False
    )

    assert answer.stdout + answer.stderr == ""
    assert answer.returncode == 0
    assert "DL3003" in bad.stdout  # it does look


def install_hadolint(target: Path) -> Path:
    """Install the linter of recipes once, from its lock; skip the test where the index does not give it."""
    lock, done = ROOT / ".ci" / "hadolint.lock", target / "installed.lock"
    if not done.is_file() or done.read_bytes() != lock.read_bytes():
        uv = shutil.which("uv") or next(iter(target.parent.glob("uv/bin/uv")), None)
        if uv is None:
            pytest.skip("needs uv")
        install = [uv, "pip", "install", "-q", "--require-hashes", "--target", str(target), "-r", str(lock)]
        answer = subprocess.run(
            install, capture_output=True, text=True, cwd="/", env={**os.environ, "UV_SYSTEM_CERTS": "1"}, check=False
        )
        if answer.returncode != 0:
            pytest.skip(f"hadolint cannot be installed: {answer.stderr.strip().splitlines()[-1]}")
        done.write_bytes(lock.read_bytes())
    return target / "bin" / "hadolint"
