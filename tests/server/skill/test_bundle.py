"""The bundle for desktop clients and the entry of the registry."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from jobs.errors import UserError
from jobs.settings import Settings
from server.skill.bundle import bundle_command, find_content, make_server
from tools.core.registry import all_tools
from tools.docs.plugin_manifests import Project


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings.from_environment(), home=tmp_path / "home", roots=(tmp_path,))


def make_root(folder: Path) -> Path:
    """A checkout of few files."""
    (folder / "server" / "__pycache__").mkdir(parents=True)
    (folder / "tests").mkdir()
    files = {
        "pyproject.toml": '[project]\nname = "tts-train"\nversion = "9.8.7"\ndescription = "D"\nlicense = "MIT"\n',
        "run.sh": "#!/bin/sh\n",
        "server/a.py": "A = 1\n",
        "server/__pycache__/a.pyc": "",
        "tests/b.py": "",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "server" / "outside").symlink_to("/etc/hostname")
    return folder


def test_a_bundle_holds_code_and_manifest_but_no_tests_caches_or_links(settings: Settings, tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")

    said = [bundle_command(["--out", str(tmp_path / name)], settings, "", root) for name in ("first", "second")]

    path = tmp_path / "first" / "tts-train.mcpb"
    assert said[0] == f"wrote {path}\n"
    assert path.read_bytes() == (tmp_path / "second" / "tts-train.mcpb").read_bytes()
    with ZipFile(path) as bundle:
        modes = {entry.filename: entry.external_attr >> 16 for entry in bundle.infolist()}
        manifest = json.loads(bundle.read("manifest.json"))
    assert modes == {"manifest.json": 0o644, "pyproject.toml": 0o644, "run.sh": 0o755, "server/a.py": 0o644}
    assert (manifest["manifest_version"], manifest["version"], manifest["server"]["type"]) == ("0.4", "9.8.7", "uv")
    assert manifest["server"]["mcp_config"]["env"]["TTS_TRAIN_DATA"] == "user"
    assert [tool["name"] for tool in manifest["tools"]] == list(all_tools())


def test_the_content_of_this_checkout_has_the_entry_point() -> None:
    root = Path(__file__).resolve().parents[3]
    names = {path.relative_to(root).as_posix() for path in find_content(root)}

    assert {"server/cli/main.py", "jobs/environments/locks/server.lock", "samples/fables.m4b", "run.sh"} <= names
    assert not any(name.startswith(("tests", "bench", "docs", "var", ".")) for name in names)


def test_the_entry_of_the_registry_names_the_package_and_its_command(settings: Settings, tmp_path: Path) -> None:
    bundle_command(["--namespace", "io.github.someone"], settings, "", make_root(tmp_path / "root"))

    server = json.loads((settings.home / "dist" / "server.json").read_text())
    assert server == make_server(Project("tts-train", "9.8.7", "D", "MIT"), "io.github.someone")
    assert server["name"] == "io.github.someone/tts-train"
    assert server["packages"][0]["packageArguments"] == [{"type": "positional", "value": "mcp"}]
    assert len(make_server(replace(Project.read(), description="d" * 300), "io.x")["description"]) <= 100


@pytest.mark.parametrize("namespace", ["someone", "io.github.some/one", "io..x", ""])
def test_a_namespace_that_the_registry_would_refuse_is_refused(
    namespace: str, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as refused:
        bundle_command([f"--namespace={namespace}"], settings, "", make_root(tmp_path / "root"))

    assert refused.value.code == "bad_usage"
    assert not (tmp_path / "home").exists()
