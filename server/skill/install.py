"""Installation of skill and MCP entry for one agent, and its exact reversal.

The skill is a folder of copies (SKILL.md, references, a run.sh that calls this project's) with a receipt: the hashes of
the written files.
"""

import hashlib
import json
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.files.atomic_io import write_bytes
from jobs.files.folders import make_folder, remove
from jobs.files.reading import read_bytes
from jobs.installation import COMMAND, FILES
from jobs.settings import folder_named
from server.skill.client_configs import NAME, ServerEntry, add_entry, remove_entry, write_change

RECEIPT = ".installed.json"
MOST_RECEIPT_BYTES = 100_000
OURS = re.compile(r"SKILL\.md|run\.sh|references/[\w-]+\.md")


@dataclass(frozen=True)
class AgentPaths:
    """Paths of one agent.

    Attributes:
        name: the agent's name.
        skills: folder of its skills.
        config: its configuration file with MCP servers; None: not known.
        project: folder that links must not lead out of, because somebody else may have made them; None: the user's own.
    """

    name: str
    skills: Path
    config: Path | None
    project: Path | None = None


def claude(home: Path, project: Path | None) -> AgentPaths:
    """Return the paths of Claude Code: the user's, or those of a project."""
    if project is not None:
        return AgentPaths("Claude Code", project / ".claude" / "skills", project / ".mcp.json", project)
    moved = folder_named("CLAUDE_CONFIG_DIR")  # holds both
    folder, config = (moved, moved) if moved is not None else (home / ".claude", home)
    return AgentPaths("Claude Code", folder / "skills", config / ".claude.json")


def codex(home: Path, project: Path | None) -> AgentPaths:
    """Return the paths of Codex: the user's, or those of a project."""
    base = project / ".codex" if project is not None else folder_named("CODEX_HOME") or home / ".codex"
    return AgentPaths("Codex", base / "skills", base / "config.toml", project)


def is_used(agent: AgentPaths) -> bool:
    """Return True if the agent has been used here."""
    return agent.skills.parent.is_dir() or (agent.config is not None and agent.config.is_file())


def install(agent: AgentPaths, entry: ServerEntry, *, dry_run: bool) -> list[str]:
    """Install skill and entry; return a line for each change.

    Raises:
        UserError: ``skill_not_ours``, ``entry_not_ours``, ``config_unreadable``, ``path_is_link``; nothing was changed.
    """
    folder = _skill_folder(agent)
    wanted = _skill_files()
    if folder.is_symlink() or (folder.exists() and not (folder / RECEIPT).is_file()):
        raise UserError(
            "skill_not_ours", f"{folder} exists and was not created by this command.", "Move it away, then retry."
        )
    change = add_entry(agent.config, entry) if agent.config is not None else None
    lines = _write_skill(folder, wanted, dry_run=dry_run)
    return lines + (write_change(change, dry_run=dry_run) if change is not None else [])


def uninstall(agent: AgentPaths, *, dry_run: bool) -> list[str]:
    """Remove what ``install`` added, except files changed since; return a line for each change.

    Raises:
        UserError: ``config_unreadable``, ``path_is_link``; nothing was changed.
    """
    folder = _skill_folder(agent)
    change = remove_entry(agent.config) if agent.config is not None else None
    lines = _remove_skill(folder, dry_run=dry_run)
    return lines + (write_change(change, dry_run=dry_run) if change is not None else [])


def _skill_folder(agent: AgentPaths) -> Path:
    """Return the folder of the skill. Links above it are followed where they are the user's own, never in a project."""
    folder = Path(os.path.realpath(agent.skills)) / NAME
    for path in (folder, agent.config):
        if agent.project is not None and path is not None:
            real, root = Path(os.path.realpath(path)), os.path.realpath(agent.project)
            if not real.is_relative_to(root):
                raise UserError(
                    "path_is_link", f"{path} leads out of {root}, to {real}.", "Remove that link, or use the home."
                )
    return folder


def _skill_files() -> dict[str, bytes]:
    """Return the files of the skill by relative path."""
    pages = [FILES / "SKILL.md", *sorted((FILES / "references").glob("*.md"))]
    files = {path.relative_to(FILES).as_posix(): path.read_bytes() for path in pages}
    run = shlex.quote(str(COMMAND))
    return files | {"run.sh": f'#!/usr/bin/env bash\nexec {run} "$@"\n'.encode()}


def _write_skill(folder: Path, wanted: dict[str, bytes], *, dry_run: bool) -> list[str]:
    changed = [name for name, content in wanted.items() if not _is(folder / name, hashlib.sha256(content).hexdigest())]
    old = [name for name, sha in _receipt(folder).items() if name not in wanted and _is(folder / name, sha)]
    if not changed and not old:
        return [f"{folder}: is up to date"]
    if not dry_run:
        for name, content in wanted.items():
            make_folder((folder / name).parent)
            write_bytes(folder / name, content, mode=0o755 if name == "run.sh" else 0o644)
        for name in old:
            remove(folder / name)
        receipt = {name: hashlib.sha256(content).hexdigest() for name, content in wanted.items()}
        write_bytes(folder / RECEIPT, json.dumps(receipt, indent=1).encode(), mode=0o644)
    return [f"{folder}: {'would write' if dry_run else 'wrote'} {', '.join(changed + old)}"]


def _remove_skill(folder: Path, *, dry_run: bool) -> list[str]:
    receipt = _receipt(folder)
    if not receipt:
        return [f"{folder}: not installed"]
    kept = [name for name, sha in receipt.items() if (folder / name).exists() and not _is(folder / name, sha)]
    if not dry_run:
        for name in receipt:
            if name not in kept:
                remove(folder / name)
        remove(folder / RECEIPT)
        for path in (folder / "references", folder):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
    lines = [f"{folder}: {'would remove' if dry_run else 'removed'} the skill"]
    return lines + ([f"{folder}: kept {', '.join(kept)}, changed since it was installed"] if kept else [])


def _receipt(folder: Path) -> dict[str, str]:
    try:
        found = json.loads(read_bytes(folder / RECEIPT, MOST_RECEIPT_BYTES))
    except (UserError, OSError, ValueError, RecursionError):
        return {}
    listed = found.items() if isinstance(found, dict) else ()
    return {name: sha for name, sha in listed if OURS.fullmatch(name) and isinstance(sha, str)}


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
