"""The wheel: it builds from the tree, holds the data files, and its command line starts from it alone."""

import resource
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from jobs.settings import PROJECT_ROOT, Settings
from server.web.vendored import FILES
from tools.core.registry import all_tools

DATA = (
    "jobs/environments/costs.txt",
    "jobs/environments/locks/server.lock",
    "jobs/qwen/toy_codec/model.safetensors",
    "jobs/web_research_hparams/knowledge.jsonl",
)


SOURCES = (
    *("pyproject.toml", "README.md", "LICENSE", "server", "tools", "jobs", "run.sh", "SKILL.md", "references"),
    "samples",
)


def build(source: Path, what: str, out: Path) -> Path:
    """Build a wheel or a source archive without a network; return its path."""
    code = f"from setuptools.build_meta import build_{what}; print(build_{what}({str(out)!r}))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True, text=True)
    return out / answer.stdout.splitlines()[-1]


def link_sources(folder: Path) -> Path:
    """Make a folder of the files that a build needs."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        (source / name).symlink_to(PROJECT_ROOT / name)
    return source


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tracked files, built without a network."""
    pytest.importorskip("setuptools", reason="needs setuptools, of the dev environment")
    folder = tmp_path_factory.mktemp("wheel")
    return build(link_sources(folder), "wheel", folder)


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The command of the wheel, installed by uv into an environment of its own; its dependencies are the server's."""
    settings = Settings.from_environment()
    uv = shutil.which("uv") or next(iter((settings.envs.parent / ".tools").glob("uv/bin/uv")), None)
    if uv is None or not settings.python("server").exists():
        pytest.skip("needs uv and the server environment: ./run.sh setup server")
    environment = tmp_path / "environment"
    make = [uv, "venv", "-q", "--python", settings.python("server"), environment]
    subprocess.run(make, check=True, capture_output=True, cwd="/")
    python = environment / "bin" / "python"
    install = [
        "pip",
        "install",
        "-q",
        "--offline",
        "--no-deps",
        "--compile-bytecode",
        "--python",
        str(python),
        str(wheel),
    ]
    subprocess.run([uv, *install], check=True, capture_output=True, cwd="/")
    packages = next(environment.glob("lib/python3.*/site-packages"))
    (packages / "server.pth").write_text(str(next((settings.envs / "server").glob("lib/python3.*/site-packages"))))
    return environment / "bin" / "tts-train"


def test_the_wheel_holds_the_packages_and_their_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert set(DATA) <= names
    assert "server/listening/page.html" in names
    assert {"server/web/templates/web.css", "server/web/static/app.js", "server/web/vendor/libraries.json"} <= names
    assert {f"server/web/vendor/{package}/LICENSE" for package in FILES} <= names
    assert any(name.startswith("jobs/reports/templates/") for name in names)
    assert not any(name.startswith(("tests/", "bench/", "docs/")) for name in names)


def test_the_source_archive_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    archive = build(link_sources(tmp_path), "sdist", tmp_path)
    with tarfile.open(archive) as stream:
        stream.extractall(tmp_path / "unpacked", filter="data")

    again = build(next((tmp_path / "unpacked").iterdir()), "wheel", tmp_path)

    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_the_command_line_starts_from_the_wheel_alone(installed: Path, tmp_path: Path) -> None:
    version = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

    answer = subprocess.run(
        [installed, "--version"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    assert version in answer.stdout


@pytest.mark.anyio
async def test_its_server_answers_with_all_tools_in_an_empty_folder_and_environment(
    installed: Path, tmp_path: Path
) -> None:
    folder, home = tmp_path / "empty", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    parameters = StdioServerParameters(
        command=str(installed), args=["mcp"], cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(home)}
    )
    samples = installed.parent.parent / "share" / "tts-train" / "samples"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    async with Client(parameters) as client:
        tools = await client.list_tools()
        needs = await client.call_tool("ingest_audiobook", {"audio": str(samples / "fables.m4b"), "voice": "anna"})
        planned = await client.call_tool("setup", {"dry_run": True})

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    plan = planned.structured_content["result"]["plan"]
    assert {tool.name for tool in tools.tools} == set(all_tools())
    assert "environment_missing" in needs.content[0].text
    assert "setup" in needs.content[0].text
    assert (plan["state"], plan["download_mb"], plan["disk_mb"]) == ("absent", 4700, 8800)
    assert plan["folder"] == str(home / ".local" / "share" / "tts-train" / ".envs" / "ml")
    assert list(folder.iterdir()) == []
    # of its whole life; other work on the machine makes it slower, not dearer
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3.0
