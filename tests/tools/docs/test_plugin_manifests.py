"""Plugin manifests: one version, commands and paths that exist, and a skill whose links lead to files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import PROJECT_ROOT
from tools.docs.plugin_manifests import SKILL, Project, make_manifests, make_skill

MANIFESTS = ["plugin.json", ".claude-plugin/plugin.json", ".codex-plugin/plugin.json", "gemini-extension.json"]
SERVERS = ["mcp.json", ".claude-plugin/plugin.json", ".codex-plugin/plugin.json", "gemini-extension.json"]


def load(path: str) -> dict[str, Any]:
    """Load a manifest of the checkout."""
    loaded: dict[str, Any] = json.loads((PROJECT_ROOT / path).read_text(encoding="utf-8"))
    return loaded


def test_the_checkout_holds_what_would_be_written_now() -> None:
    manifests = make_manifests((PROJECT_ROOT / "SKILL.md").read_text(encoding="utf-8"))

    assert {path: (PROJECT_ROOT / path).read_text(encoding="utf-8") for path in manifests} == manifests


@pytest.mark.parametrize("path", MANIFESTS)
def test_name_and_version_are_those_of_the_project(path: str) -> None:
    project = Project.read()

    assert (load(path)["name"], load(path)["version"]) == (project.name, project.version)


def test_the_portable_manifest_has_only_fields_of_the_format() -> None:
    allowed = {"$schema", "name", "version", "description", "author", "homepage", "repository", "license", "keywords",
               "extensions"}  # fmt: skip

    assert load("plugin.json").keys() <= allowed
    assert load("mcp.json").keys() == {"$schema", "mcpServers"}
    assert load("mcp.json")["mcpServers"]["tts-train"].keys() <= {"type", "command", "args", "env", "cwd"}


@pytest.mark.parametrize("path", SERVERS)
def test_the_server_is_started_from_the_folder_of_the_plugin_and_keeps_its_data_elsewhere(path: str) -> None:
    server = load(path)["mcpServers"]["tts-train"]
    root = f"{PROJECT_ROOT}/"
    command = re.sub(r"^(\./|\$\{CLAUDE_PLUGIN_ROOT\}/|\$\{extensionPath\}\$\{/\})", root, server["command"])

    assert os.access(command, os.X_OK)
    assert command.startswith(root)
    assert server["args"] == ["mcp"]
    assert server["env"] == {"TTS_TRAIN_DATA": "user"}


def test_a_plugin_keeps_environments_in_the_data_folder_of_the_user(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TTS_TRAIN_DATA": "user"}

    def environments(**more: str) -> str:
        command = [str(PROJECT_ROOT / "run.sh"), "setup", "--help"]
        said = subprocess.run(command, env=environ | more, capture_output=True, text=True, check=True)
        return said.stdout + said.stderr

    assert f"{tmp_path}/.local/share/tts-train/.envs;" in environments()
    assert "/data/tts-train/.envs;" in environments(XDG_DATA_HOME="/data")
    assert "/own;" in environments(TTS_TRAIN_ENVS="/own")


def test_a_clone_in_a_clients_cache_of_plugins_needs_no_variable_for_that(tmp_path: Path) -> None:
    """The skill's commands run in a shell that has none of the server's variables."""
    clone = tmp_path / "plugins" / "cache" / "market" / "tts-train" / "0.1.0"
    clone.mkdir(parents=True)
    (clone / "run.sh").write_text((PROJECT_ROOT / "run.sh").read_text(encoding="utf-8"))
    (clone / "jobs").symlink_to(PROJECT_ROOT / "jobs")

    said = subprocess.run(
        ["bash", str(clone / "run.sh"), "setup", "--help"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert f"{tmp_path}/.local/share/tts-train/.envs;" in said.stdout + said.stderr


def test_the_marketplace_offers_this_checkout() -> None:
    marketplace = load(".claude-plugin/marketplace.json")

    assert [(one["name"], one["source"]) for one in marketplace["plugins"]] == [("tts-train", "./")]


def test_the_skill_of_the_plugin_leads_to_files_that_exist() -> None:
    skill = PROJECT_ROOT / SKILL
    text = skill.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)

    assert text.startswith("---\nname: tts-train\n")
    assert len(links) >= 4
    assert all((skill.parent / link).is_file() for link in links)
    assert (skill.parent / "../../run.sh").is_file()
    assert "`./run.sh" not in text
    assert make_skill("[x](references/a.md) `./run.sh doctor`") == "[x](../../references/a.md) `../../run.sh doctor`"


@pytest.mark.parametrize("path", [".", ".claude-plugin/plugin.json"])
def test_the_validator_of_claude_code_finds_nothing(path: str, tmp_path: Path) -> None:
    validator = shutil.which("claude")
    if validator is None:
        pytest.skip("needs claude, from npm: @anthropic-ai/claude-code")

    answer = subprocess.run(
        [validator, "plugin", "validate", "--strict", PROJECT_ROOT / path],
        capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )  # fmt: skip

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "Validation passed" in answer.stdout


def test_codex_installs_the_plugin_and_registers_its_server_and_skill(tmp_path: Path) -> None:
    codex = shutil.which("codex")
    if codex is None:
        pytest.skip("needs codex, from npm: @openai/codex")
    clone = tmp_path / "clone"
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "-q", PROJECT_ROOT, clone], check=True)

    def run(*words: str) -> str:
        answer = subprocess.run(
            [codex, *words], capture_output=True, text=True, timeout=120, check=True,
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
        )  # fmt: skip
        return answer.stdout

    run("plugin", "marketplace", "add", str(clone))
    run("plugin", "add", "tts-train@tts-train")

    assert "installed, enabled" in run("plugin", "list")
    assert "run.sh" in run("mcp", "list")
    assert list(home.glob(".codex/plugins/cache/tts-train/tts-train/*/skills/tts-train/SKILL.md"))
