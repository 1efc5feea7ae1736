"""The MCP entry in a client's configuration, added and removed as text; all other content is preserved.

Claude Code uses JSON (``~/.claude.json``, a project's ``.mcp.json``), Codex TOML (``~/.codex/config.toml``). A file is
backed up once, keeps its mode, and is replaced atomically.
"""

import json
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.atomic_io import write_bytes
from jobs.files.folders import make_folder
from jobs.files.json_documents import parse_json
from jobs.files.reading import read_bytes

NAME = "tts-train"
BEGIN, END = f"# >>> {NAME}", f"# <<< {NAME}"
BACKUP = f".before-{NAME}"
FIX = "Fix the file and retry."
MOST_BYTES = 20_000_000  # of a configuration; Claude's own holds a history of projects
# Older Codex versions allow 10 s for a server's start, and 60 s for a call; ours takes at most 50 s.
CODEX_LIMITS = "startup_timeout_sec = 30\ntool_timeout_sec = 120\n"


@dataclass(frozen=True)
class ServerEntry:
    """Command, arguments and environment with which a client starts the server."""

    command: str
    args: tuple[str, ...] = ("mcp",)
    env: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the entry of Claude Code."""
        entry: dict[str, Any] = {"type": "stdio", "command": self.command, "args": list(self.args)}
        return entry | ({"env": dict(self.env)} if self.env else {})

    def as_toml(self) -> str:
        """Return the entry of Codex between two marker comments. A JSON string is also a TOML string."""
        env = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.env.items())
        lines = [f"[mcp_servers.{NAME}]", f"command = {json.dumps(self.command)}", f"args = {json.dumps(self.args)}"]
        lines += [f"env = {{ {env} }}"] if env else []
        return "\n".join([BEGIN, *lines]) + f"\n{CODEX_LIMITS}{END}\n"


@dataclass(frozen=True)
class ConfigChange:
    """Change of a configuration that is not written yet: its text before and after."""

    path: Path
    before: str
    after: str
    is_removal: bool = False

    @property
    def backup(self) -> Path:
        """Path of the backup."""
        return self.path.with_name(self.path.name + BACKUP)


def add_entry(path: Path, entry: ServerEntry) -> ConfigChange:
    """Return the change that adds the entry. Raises as ``json_with``; also ``config_unreadable``."""
    before = _read(path)
    add = toml_with if _is_toml(path) else json_with
    return ConfigChange(path, before, add(before, entry, str(path)))


def remove_entry(path: Path) -> ConfigChange:
    """Return the change that removes the entry, to the backup's bytes if nothing else has changed since.

    Raises:
        UserError: ``config_unreadable``.
    """
    before = _read(path)
    remove = toml_without if _is_toml(path) else json_without
    after = remove(before, str(path))
    change = ConfigChange(path, before, after, is_removal=True)
    if after == before or not change.backup.exists():
        return replace(change, after="") if same_json(after, "") and after != before else change
    kept = _read(change.backup)
    return replace(change, after=kept) if (after == kept if _is_toml(path) else same_json(after, kept)) else change


def write_change(change: ConfigChange, *, dry_run: bool) -> list[str]:
    """Write a change; return a line for each file."""
    what = f"without MCP server {NAME}" if change.is_removal else f"MCP server {NAME}"
    if change.before == change.after:
        return [f"{change.path}: already configured"]
    if dry_run:
        return [f"{change.path}: would be {what}"]
    path, backup = Path(os.path.realpath(change.path)), change.backup  # keep symbolic links of dotfile managers
    lines = [f"{change.path}: {what}"]
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    if path.exists() and not change.is_removal and not backup.exists():
        write_file(backup, change.before.encode(), mode)
        lines.append(f"{backup}: backup of the previous file")
    if change.is_removal and not change.after and not (backup.exists() and backup.stat().st_size == 0):
        path.unlink()  # it held this entry only
    else:
        write_file(path, change.after.encode(), mode)
    if change.is_removal and backup.exists() and _read(backup) == change.after:
        backup.unlink()
    return lines


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Replace a file, or make it and its folders, which dotfile managers may have linked."""
    folder = make_folder(Path(os.path.realpath(path.parent)))
    write_bytes(folder / path.name, content, mode=mode)


def json_with(text: str, entry: ServerEntry, where: str) -> str:
    """Add the entry to a JSON configuration.

    Raises:
        UserError: ``config_unreadable`` or ``entry_not_ours``.
    """
    config = _json(text, where)
    servers = config.setdefault("mcpServers", {})
    if not isinstance(servers, dict):
        raise UserError("config_unreadable", f"mcpServers in {where} is not an object.", FIX)
    if NAME in servers and not _is_ours(servers[NAME]):
        raise _not_ours(where)
    if servers.get(NAME) == entry.as_json():
        return text
    servers[NAME] = entry.as_json()
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def json_without(text: str, where: str) -> str:
    """Remove the entry from a JSON configuration; another server's entry of that name stays."""
    config = _json(text, where)
    servers = config.get("mcpServers")
    if not isinstance(servers, dict) or NAME not in servers or not _is_ours(servers[NAME]):
        return text
    del servers[NAME]
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def toml_with(text: str, entry: ServerEntry, where: str) -> str:
    """Append the entry to a TOML configuration. Raises as ``json_with``."""
    bare = toml_without(text, where)
    if NAME in _toml(bare, where).get("mcp_servers", {}):
        raise _not_ours(where)
    gap = "" if not bare or bare.endswith("\n\n") else "\n" if bare.endswith("\n") else "\n\n"
    whole = bare + gap + entry.as_toml()
    _toml(whole, where)
    return whole


def toml_without(text: str, where: str) -> str:
    """Remove from a TOML configuration what ``toml_with`` added."""
    _toml(text, where)
    head, begin, rest = text.partition(BEGIN + "\n")
    _, end, tail = rest.partition(END + "\n")
    if not begin or not end:
        return text
    return (head[:-1] if head.endswith("\n\n") else head) + tail


def same_json(one: str, other: str) -> bool:
    """Return True if two JSON texts are equal; an empty ``mcpServers`` counts as none."""
    pair = []
    for text in (one, other):
        try:
            config = json.loads(text or "{}")
        except json.JSONDecodeError:
            return False
        if isinstance(config, dict) and config.get("mcpServers") == {}:
            config = {key: value for key, value in config.items() if key != "mcpServers"}
        pair.append(config)
    return bool(pair[0] == pair[1])


def _read(path: Path) -> str:
    """Return the text of a configuration; empty if there is none."""
    try:
        return read_bytes(path, MOST_BYTES).decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise UserError("config_unreadable", f"{path}: {error}", FIX) from error


def _is_toml(path: Path) -> bool:
    return path.suffix == ".toml"


def _is_ours(server: object) -> bool:
    """Return True for the entry of any copy of this project: it may have been moved."""
    return (
        isinstance(server, dict)
        and str(server.get("command", "")).endswith(("/run.sh", "/tts-train"))
        and "mcp" in server.get("args", [])
    )


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        config = parse_json(text) if text.strip() else {}
    except ValueError as error:
        raise UserError("config_unreadable", f"{where} is not JSON: {error}.", FIX) from error
    if not isinstance(config, dict):
        raise UserError("config_unreadable", f"{where} is not a JSON object.", FIX)
    return config


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError("config_unreadable", f"{where} is not TOML: {error}.", FIX) from error


def _not_ours(where: str) -> UserError:
    return UserError(
        "entry_not_ours",
        f"{where} has an MCP server {NAME!r} that this command did not write.",
        "Remove or rename it there, then retry. Nothing was changed.",
    )
