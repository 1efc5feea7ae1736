"""Puts the skill and the MCP entry where an agent finds them, and takes exactly that out again.

The skill is a folder of copies (SKILL.md, references, a run.sh that calls this project's) with a receipt of what was
written. A configuration file is backed up once, keeps its mode and all that is in it, and is renamed into place.
"""

from __future__ import annotations

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
from server.skill.client_configs import NAME, Entry, json_with, json_without, same_json, toml_with, toml_without

RECEIPT = ".installed.json"
BACKUP = f".before-{NAME}"
Change = Callable[[str], str]


@dataclass(frozen=True)
class Place:
    """Where one agent looks.

    Attributes:
        agent: for people.
        skills: folder of its skills.
        config: its configuration with MCP servers; None: it has none that is known.
    """

    agent: str
    skills: Path
    config: Path | None


def claude(home: Path, project: Path | None) -> Place:
    """Claude Code: for the person, or in one project."""
    if project is not None:
        return Place("Claude Code", project / ".claude" / "skills", project / ".mcp.json")
    moved = folder_named("CLAUDE_CONFIG_DIR")  # where the person has put both
    folder, config = (moved, moved) if moved is not None else (home / ".claude", home)
    return Place("Claude Code", folder / "skills", config / ".claude.json")


def codex(home: Path, project: Path | None) -> Place:
    """Codex: for the person, or in one project."""
    base = project / ".codex" if project is not None else folder_named("CODEX_HOME") or home / ".codex"
    return Place("Codex", base / "skills", base / "config.toml")


def is_there(place: Place) -> bool:
    """True when the agent has been used here."""
    return place.skills.parent.is_dir() or (place.config is not None and place.config.is_file())


def install(place: Place, entry: Entry, *, dry_run: bool) -> list[str]:
    """Put skill and entry in place; what is there already stays. Says what was done, one line each.

    Raises:
        UserError: ``skill_not_ours``, ``entry_not_ours``, ``config_unreadable``; nothing was changed.
    """
    folder = place.skills / NAME
    wanted = _skill_files()
    if folder.is_symlink() or (folder.exists() and not (folder / RECEIPT).is_file()):
        raise UserError(
            "skill_not_ours", f"{folder} is there and was not made by this command.", "Move it away, then call again."
        )
    config = _config_change(place, lambda text: _with(place, text, entry))
    said = _write_skill(folder, wanted, dry_run=dry_run)
    return said + _write_config(place, config, f"MCP server {NAME}", dry_run=dry_run)


def uninstall(place: Place, *, dry_run: bool) -> list[str]:
    """Take out what ``install`` put in; what was changed since stays, and is told."""
    folder = place.skills / NAME
    config = _config_change(place, lambda text: _without(place, text))
    said = _remove_skill(folder, dry_run=dry_run)
    return said + _write_config(place, config, f"without MCP server {NAME}", dry_run=dry_run)


def _skill_files() -> dict[str, bytes]:
    """The skill by relative path."""
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
        return [f"{folder}: nothing of ours is there"]
    kept = [name for name, sha in receipt.items() if (folder / name).exists() and not _is(folder / name, sha)]
    if not dry_run:
        for name in receipt:
            if name not in kept:
                (folder / name).unlink(missing_ok=True)
        (folder / RECEIPT).unlink()
        for path in (folder / "references", folder):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
    said = [f"{folder}: {'would remove' if dry_run else 'removed'} the skill"]
    return said + ([f"{folder}: kept {', '.join(kept)}, changed since it was installed"] if kept else [])


def _config_change(place: Place, change: Change) -> tuple[str, str] | None:
    """A configuration's text before and after."""
    if place.config is None:
        return None
    try:
        before = place.config.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("config_unreadable", f"{place.config}: {error}", "Mend it, then call again.") from error
    return before, change(before)


def _with(place: Place, text: str, entry: Entry) -> str:
    add = toml_with if _is_toml(place) else json_with
    return add(text, entry, str(place.config))


def _without(place: Place, text: str) -> str:
    """Without the entry; byte for byte as before where nothing else has changed since."""
    assert place.config is not None
    remove = toml_without if _is_toml(place) else json_without
    after = remove(text, str(place.config))
    backup = place.config.with_name(place.config.name + BACKUP)
    if after == text or not backup.exists():
        return "" if same_json(after, "") and after != text else after
    kept = backup.read_text(encoding="utf-8")
    return kept if (after == kept if _is_toml(place) else same_json(after, kept)) else after


def _write_config(place: Place, change: tuple[str, str] | None, what: str, *, dry_run: bool) -> list[str]:
    if change is None or place.config is None:
        return []
    before, after = change
    path = Path(os.path.realpath(place.config))  # a link, as of people who keep such files elsewhere, stays one
    backup = place.config.with_name(place.config.name + BACKUP)
    if before == after:
        return [f"{place.config}: is as wanted"]
    if dry_run:
        return [f"{place.config}: would be {what}"]
    is_removal = what.startswith("without")
    said = [f"{place.config}: {what}"]
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    if path.exists() and not is_removal and not backup.exists():
        _write(backup, before.encode(), mode)
        said.append(f"{backup}: what was there before")
    if is_removal and not after and not (backup.exists() and backup.stat().st_size == 0):
        path.unlink()  # it was ours alone
    else:
        _write(path, after.encode(), mode)
    if is_removal and backup.exists() and backup.read_text(encoding="utf-8") == after:
        backup.unlink()
    return said


def _write(path: Path, content: bytes, mode: int) -> None:
    """Under a temporary name that nobody else may read, then renamed."""
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


def _is_toml(place: Place) -> bool:
    return place.config is not None and place.config.suffix == ".toml"
