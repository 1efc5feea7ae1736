"""The image's recipe: what it copies exists, it runs as an ordinary user, and compose mounts what it declares."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    assert '"--token-file"' in of("CMD")[-1]


def test_compose_builds_this_recipe_and_keeps_home_cache_and_environments(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        build = service["build"]
        assert (ROOT / "docker" / build["context"] / build["dockerfile"]).resolve() == ROOT / "docker" / "Dockerfile"
        assert f"AS {build['target']}" in RECIPE
        mounts = [volume.rsplit(":", 1) for volume in service["volumes"]]
        assert {target for _, target in mounts} == {"/data/home", "/data/cache", "/opt/envs", "/audiobooks"}
        assert {name for name, _ in mounts if "/" not in name} == set(compose["volumes"])
        assert service["ports"] == ["127.0.0.1:8765:8765"]
