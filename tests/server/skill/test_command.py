"""``install-skill`` and ``uninstall-skill`` in a home of their own, as real commands."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jobs.settings import PROJECT_ROOT

CLAUDE = {"numStartups": 7, "mcpServers": {"other": {"command": "x", "args": []}}, "oauth": {"token": "keep"}}
CODEX = '# my own\nmodel = "o9"\n\n[mcp_servers.other]\ncommand = "x"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person with both agents."""
    (tmp_path / ".claude" / "skills" / "mine").mkdir(parents=True)
    (tmp_path / ".claude.json").write_text(json.dumps(CLAUDE, indent=4))
    (tmp_path / ".claude.json").chmod(0o600)
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text(CODEX)
    return tmp_path


def run(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command of that person."""
    env = more | {
        "PATH": os.environ["PATH"], "HOME": str(home), "TTS_TRAIN_HOME": str(home / "var"),
        "PYTHONPATH": str(PROJECT_ROOT), "PYTHONSAFEPATH": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "server.cli", *words]
    return subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=60, check=False)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_agents_whose_folders_are_elsewhere_find_it_there(home: Path) -> None:
    moved = {"CLAUDE_CONFIG_DIR": str(home / "c"), "CODEX_HOME": str(home / "x")}
    (home / "c").mkdir()
    (home / "x").mkdir()
    before = {name: content for name, content in tree(home).items() if name.startswith(".c")}

    done = run(home, "install-skill", **moved)

    assert done.returncode == 0, done.stderr
    assert "tts-train" in json.loads((home / "c" / ".claude.json").read_text())["mcpServers"]
    assert "tts-train" in tomllib.loads((home / "x" / "config.toml").read_text())["mcp_servers"]
    assert (home / "c" / "skills" / "tts-train" / "SKILL.md").is_file()
    assert (home / "x" / "skills" / "tts-train" / "SKILL.md").is_file()
    assert {name: content for name, content in tree(home).items() if name.startswith(".c")} == before


def test_both_agents_find_skill_and_server(home: Path) -> None:
    done = run(home, "install-skill")

    config = json.loads((home / ".claude.json").read_text())
    codex = tomllib.loads((home / ".codex" / "config.toml").read_text())
    assert done.returncode == 0, done.stderr
    assert config == CLAUDE | {"mcpServers": CLAUDE["mcpServers"] | {"tts-train": config["mcpServers"]["tts-train"]}}
    assert config["mcpServers"]["tts-train"]["command"] == str(PROJECT_ROOT / "run.sh")
    assert config["mcpServers"]["tts-train"]["env"]["TTS_TRAIN_HOME"] == str(home / "var")
    assert codex["mcp_servers"]["tts-train"]["args"] == ["mcp"]
    assert codex["mcp_servers"]["other"] == {"command": "x"}
    assert (home / ".codex" / "config.toml").read_text().startswith(CODEX)
    for skills in (home / ".claude" / "skills", home / ".codex" / "skills"):
        assert (skills / "tts-train" / "SKILL.md").read_bytes() == (PROJECT_ROOT / "SKILL.md").read_bytes()
        assert (skills / "tts-train" / "references" / "failures.md").is_file()
    assert stat.S_IMODE((home / ".claude.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / ".claude.json.before-tts-train").stat().st_mode) == 0o600


def test_the_installed_skills_commands_work_without_mcp(home: Path) -> None:
    run(home, "install-skill", "--claude")
    script = home / ".claude" / "skills" / "tts-train" / "run.sh"
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}

    helped = subprocess.run([str(script), "--help"], env=env, capture_output=True, text=True, timeout=60, check=False)

    assert helped.returncode == 0
    assert "./run.sh mcp" in helped.stdout


def test_a_second_time_changes_nothing(home: Path) -> None:
    run(home, "install-skill")
    before = tree(home)

    again = run(home, "install-skill")

    assert tree(home) == before
    assert again.stdout.count("is up to date") == 2
    assert again.stdout.count("already configured") == 2


def test_a_dry_run_only_says_what_it_would_do(home: Path) -> None:
    before = tree(home)

    said = run(home, "install-skill", "--dry-run")

    assert tree(home) == before
    assert "would write SKILL.md" in said.stdout
    assert f"{home}/.claude.json: would be MCP server tts-train" in said.stdout


def test_taking_it_out_leaves_every_byte_as_it_was(home: Path) -> None:
    before = tree(home)
    run(home, "install-skill")

    done = run(home, "uninstall-skill")

    assert done.returncode == 0, done.stderr
    assert tree(home) == before
    assert not (home / ".claude" / "skills" / "tts-train").exists()


def test_what_changed_since_stays_when_it_is_taken_out(home: Path) -> None:
    run(home, "install-skill", "--claude")
    config = json.loads((home / ".claude.json").read_text())
    (home / ".claude.json").write_text(json.dumps(config | {"numStartups": 8}))
    skill = home / ".claude" / "skills" / "tts-train"
    (skill / "SKILL.md").write_text("mine now")
    (skill / "notes.md").write_text("mine")

    done = run(home, "uninstall-skill", "--claude")

    assert json.loads((home / ".claude.json").read_text()) == CLAUDE | {"numStartups": 8}
    assert sorted(path.name for path in skill.iterdir()) == ["SKILL.md", "notes.md"]
    assert "kept SKILL.md" in done.stdout


def test_files_that_were_not_there_are_gone_again(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()

    run(tmp_path, "install-skill", "--claude", "--codex", "--path", "project")
    made = set(tree(project))
    run(tmp_path, "uninstall-skill", "--claude", "--codex", "--path", "project")

    assert {".mcp.json", ".codex/config.toml", ".claude/skills/tts-train/SKILL.md"} <= made
    assert tree(project) == {}


def test_another_agents_skills_folder_gets_the_skill_and_the_entry_in_words(tmp_path: Path) -> None:
    done = run(tmp_path, "install-skill", "--path", "skills")

    assert (tmp_path / "skills" / "tts-train" / "SKILL.md").is_file()
    assert '{"mcpServers": {"tts-train": {"type": "stdio"' in done.stdout


@pytest.mark.parametrize(
    ("config", "code"),
    [("{broken", "config_unreadable"), ('{"mcpServers": {"tts-train": {"command": "theirs"}}}', "entry_not_ours")],
)
def test_a_configuration_that_is_not_understood_is_left_alone(home: Path, config: str, code: str) -> None:
    (home / ".claude.json").write_text(config)
    before = tree(home)

    done = run(home, "install-skill", "--claude", "--json")

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == code
    assert tree(home) == before


def test_a_skill_that_somebody_else_put_there_is_left_alone(home: Path) -> None:
    (home / ".claude" / "skills" / "tts-train").mkdir()
    before = tree(home)

    done = run(home, "install-skill", "--claude", "--json")

    assert json.loads(done.stdout)["error"]["code"] == "skill_not_ours"
    assert tree(home) == before


def test_without_any_agent_it_asks_which(tmp_path: Path) -> None:
    done = run(tmp_path, "install-skill", "--json")

    assert json.loads(done.stdout)["error"]["code"] == "no_agent_found"


def test_a_strangers_repository_leads_nowhere_else(home: Path, tmp_path: Path) -> None:
    victim, repository = tmp_path / "victim", tmp_path / "repository"
    (victim / "notes").mkdir(parents=True)
    (victim / "id_rsa").write_text("private")
    (victim / "notes" / "failures.md").write_text("mine")
    (victim / "settings.json").write_text("{}")
    skill = repository / ".claude" / "skills" / "tts-train"
    skill.mkdir(parents=True)
    sha = hashlib.sha256(b"private").hexdigest()
    (skill / ".installed.json").write_text(json.dumps({"x/id_rsa": sha, "../../../x": sha}))
    (skill / "x").symlink_to(victim)
    before = tree(victim)

    (skill / "references").symlink_to(victim / "notes")
    through_a_folder = run(home, "install-skill", "--claude", "--path", str(repository))
    (skill / "references").unlink()
    (repository / ".mcp.json").symlink_to(victim / "settings.json")
    through_a_file = run(home, "install-skill", "--claude", "--path", str(repository))
    (repository / ".mcp.json").unlink()
    without = run(home, "install-skill", "--claude", "--path", str(repository))
    removed = run(home, "uninstall-skill", "--claude", "--path", str(repository))

    assert "path_is_link" in through_a_folder.stderr
    assert "path_is_link" in through_a_file.stderr
    assert (without.returncode, removed.returncode) == (0, 0), without.stderr + removed.stderr
    assert tree(victim) == before
