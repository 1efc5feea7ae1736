"""The wheel: it builds from the tree, holds the data files, and its command line starts from it alone."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from jobs.settings import PROJECT_ROOT, Settings
from server.web.vendored import FILES

DATA = (
    "jobs/environments/costs.txt",
    "jobs/environments/locks/server.lock",
    "jobs/qwen/toy_codec/model.safetensors",
    "jobs/web_research_hparams/knowledge.jsonl",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tracked files, built without a network."""
    pytest.importorskip("setuptools", reason="needs setuptools, of the dev environment")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "server",
        "tools",
        "jobs",
        "run.sh",
        "SKILL.md",
        "references",
        "samples",
    ):
        (source / name).symlink_to(PROJECT_ROOT / name)
    build = f"from setuptools.build_meta import build_wheel; print(build_wheel({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True, text=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_packages_and_their_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert set(DATA) <= names
    assert "server/listening/page.html" in names
    assert {"server/web/templates/web.css", "server/web/static/app.js", "server/web/vendor/libraries.json"} <= names
    assert {f"server/web/vendor/{package}/LICENSE" for package in FILES} <= names
    assert any(name.startswith("jobs/reports/templates/") for name in names)
    assert not any(name.startswith(("tests/", "bench/", "docs/")) for name in names)


def test_the_command_line_starts_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    python = Settings.from_environment().python("server")
    if not python.exists():
        pytest.skip("needs the server environment: ./run.sh setup server")
    version = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    zipfile.ZipFile(wheel).extractall(tmp_path)

    answer = subprocess.run(
        [python, "-c", "import sys; from server.cli.main import main; sys.exit(main(['--version']))"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "TTS_TRAIN_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    assert version in answer.stdout
