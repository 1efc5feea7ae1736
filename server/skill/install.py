"""Installation of skill and MCP entry for one agent, and its exact reversal.

The skill is a folder of copies (SKILL.md, references, a run.sh that calls this project's) with a receipt: the hashes of
the written files. A configuration file is backed up once, keeps its mode and other content, and is replaced atomically.
"""

import hashlib
import json
import os
import shlex
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.settings import PROJECT_ROOT, folder_named
from server.skill.client_configs import (
    FIX,
    NAME,
    ServerEntry,
    json_with,
    json_without,
    same_json,
    toml_with,
    toml_without,
)

RECEIPT = ".installed.json"
BACKUP = f".before-{NAME}"
Change = Callable[[str], str]


@dataclass(frozen=True)
class AgentPaths:
    """Paths of one agent.

    Attributes:
        name: the agent's name.
        skills: folder of its skills.
        config: its configuration file with MCP servers; None: not known.
    """

    name: str
    skills: Path
    config: Path | None


def claude(home: Path, project: Path | None) -> AgentPaths:
    """Return the paths of Claude Code: the user's, or those of a project."""
    if project is not None:
        return AgentPaths("Claude Code", project / ".claude" / "skills", project / ".mcp.json")
    moved = folder_named("CLAUDE_CONFIG_DIR")  # holds both
    folder, config = (moved, moved) if moved is not None else (home / ".claude", home)
    return AgentPaths("Claude Code", folder / "skills", config / ".claude.json")


def codex(home: Path, project: Path | None) -> AgentPaths:
    """Return the paths of Codex: the user's, or those of a project."""
    base = project / ".codex" if project is not None else folder_named("CODEX_HOME") or home / ".codex"
    return AgentPaths("Codex", base / "skills", base / "config.toml")


def is_used(agent: AgentPaths) -> bool:
    """Return True if the agent has been used here."""
    return agent.skills.parent.is_dir() or (agent.config is not None and agent.config.is_file())


def install(agent: AgentPaths, entry: ServerEntry, *, dry_run: bool) -> list[str]:
    """Install skill and entry; return a line for each change.

    Raises:
        UserError: ``skill_not_ours``, ``entry_not_ours``, ``config_unreadable``; nothing was changed.
    """
    folder = agent.skills / NAME
    wanted = _skill_files()
    if folder.is_symlink() or (folder.exists() and not (folder / RECEIPT).is_file()):
        raise UserError(
            "skill_not_ours", f"{folder} exists and was not created by this command.", "Move it away, then retry."
        )
    config = _config_change(agent, lambda text: _with(agent, text, entry))
    lines = _write_skill(folder, wanted, dry_run=dry_run)
    return lines + _write_config(agent, config, f"MCP server {NAME}", dry_run=dry_run)


def uninstall(agent: AgentPaths, *, dry_run: bool) -> list[str]:
    """Remove what ``install`` added, except files changed since; return a line for each change."""
    folder = agent.skills / NAME
    config = _config_change(agent, lambda text: _without(agent, text))
    lines = _remove_skill(folder, dry_run=dry_run)
    return lines + _write_config(agent, config, f"without MCP server {NAME}", dry_run=dry_run)


def _skill_files() -> dict[str, bytes]:
    """Return the files of the skill by relative path."""
    pages = [PROJECT_ROOT / "SKILL.md", *sorted((PROJECT_ROOT / "references").glob("*.md"))]
    files = {path.relative_to(PROJECT_ROOT).as_posix(): path.read_bytes() for path in pages}
    run = shlex.quote(str(PROJECT_ROOT / "run.sh"))
    return files | {"run.sh": f'#!/usr/bin/env bash\nexec {run} "$@"\n'.encode()}


def _write_skill(folder: Path, wanted: dict[str, bytes], *, dry_run: bool) -> list[str]:
    changed = [name for name, content in wanted.items() if not _is(folder / name, hashlib.sha256(content).hexdigest())]
    old = [name for name in _receipt(folder) if name not in wanted]
    if not changed and not old:
        return [f"{folder}: is up to date"]
    if not dry_run:
        for name, content in wanted.items():
            _write(folder / name, content, 0o755 if name == "run.sh" else 0o644)
        for name in old:
            (folder / name).unlink(missing_ok=True)
        receipt = {name: hashlib.sha256(content).hexdigest() for name, content in wanted.items()}
        _write(folder / RECEIPT, json.dumps(receipt, indent=1).encode(), 0o644)
    return [f"{folder}: {'would write' if dry_run else 'wrote'} {', '.join(changed + old)}"]


def _remove_skill(folder: Path, *, dry_run: bool) -> list[str]:
    receipt = _receipt(folder)
    if not receipt:
        return [f"{folder}: not installed"]
    kept = [name for name, sha in receipt.items() if (folder / name).exists() and not _is(folder / name, sha)]
    if not dry_run:
        for name in receipt:
            if name not in kept:
                (folder / name).unlink(missing_ok=True)
        (folder / RECEIPT).unlink()
        for path in (folder / "references", folder):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
    lines = [f"{folder}: {'would remove' if dry_run else 'removed'} the skill"]
    return lines + ([f"{folder}: kept {', '.join(kept)}, changed since it was installed"] if kept else [])


def _config_change(agent: AgentPaths, change: Change) -> tuple[str, str] | None:
    """Return a configuration's text before and after; None without a configuration."""
    if agent.config is None:
        return None
    try:
        before = agent.config.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("config_unreadable", f"{agent.config}: {error}", FIX) from error
    return before, change(before)


def _with(agent: AgentPaths, text: str, entry: ServerEntry) -> str:
    add = toml_with if _is_toml(agent) else json_with
    return add(text, entry, str(agent.config))


def _without(agent: AgentPaths, text: str) -> str:
    """Remove the entry; restore the backup byte for byte if nothing else has changed since."""
    assert agent.config is not None
    remove = toml_without if _is_toml(agent) else json_without
    after = remove(text, str(agent.config))
    backup = agent.config.with_name(agent.config.name + BACKUP)
    if after == text or not backup.exists():
        return "" if same_json(after, "") and after != text else after
    kept = backup.read_text(encoding="utf-8")
    return kept if (after == kept if _is_toml(agent) else same_json(after, kept)) else after


def _write_config(agent: AgentPaths, change: tuple[str, str] | None, what: str, *, dry_run: bool) -> list[str]:
    if change is None or agent.config is None:
        return []
    before, after = change
    path = Path(os.path.realpath(agent.config))  # keep symbolic links, as dotfile managers make them
    backup = agent.config.with_name(agent.config.name + BACKUP)
    if before == after:
        return [f"{agent.config}: already configured"]
    if dry_run:
        return [f"{agent.config}: would be {what}"]
    is_removal = what.startswith("without")
    lines = [f"{agent.config}: {what}"]
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    if path.exists() and not is_removal and not backup.exists():
        _write(backup, before.encode(), mode)
        lines.append(f"{backup}: backup of the previous file")
    if is_removal and not after and not (backup.exists() and backup.stat().st_size == 0):
        path.unlink()  # it held this entry only
    else:
        _write(path, after.encode(), mode)
    if is_removal and backup.exists() and backup.read_text(encoding="utf-8") == after:
        backup.unlink()
    return lines


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file atomically; only the owner can read the temporary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.chmod(mode)
    temporary.replace(path)


def _receipt(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / RECEIPT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: sha for name, sha in found.items() if ".." not in Path(name).parts and not Path(name).is_absolute()}


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _is_toml(agent: AgentPaths) -> bool:
    return agent.config is not None and agent.config.suffix == ".toml"
