"""Provenance of a run: version, revision and locked packages. stdlib only."""

import hashlib
import re
from pathlib import Path

from jobs.settings import PROJECT_ROOT


def provenance(environment: str, root: Path = PROJECT_ROOT) -> dict[str, str | None]:
    """Read project version, git revision and the hash of the environment's lock; None where unknown."""
    return {
        "version": project_version(root),
        "revision": _revision(root / ".git"),
        "environment": environment,
        "lock_sha256": _sha256(root / "jobs" / "environments" / "locks" / f"{environment}.lock"),
    }


def project_version(root: Path = PROJECT_ROOT) -> str | None:
    """Return the version in ``pyproject.toml``; in an installation without that file, the package's."""
    found = re.search(r'^version = "([^"]+)"', _text(root / "pyproject.toml"), re.MULTILINE)
    if found:
        return found[1]
    from importlib import metadata  # here: its import takes longer than the rest of the shim's start allows

    try:
        return metadata.version("tts-train")
    except metadata.PackageNotFoundError:
        return None


def _revision(git: Path) -> str | None:
    """Read the checked-out commit from the files, which is cheaper than a git process and needs no git."""
    if git.is_file():  # a worktree or submodule: the file names the folder
        git = (git.parent / _text(git).removeprefix("gitdir:").strip()).resolve()
    head = _text(git / "HEAD").strip()
    if not head.startswith("ref: "):
        return head or None
    reference = head.removeprefix("ref: ")
    common = (git / (_text(git / "commondir").strip() or ".")).resolve()
    loose = _text(common / reference).strip()
    if loose:
        return loose
    packed = re.search(rf"^([0-9a-f]+) {re.escape(reference)}$", _text(common / "packed-refs"), re.MULTILINE)
    return packed[1] if packed else None


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
