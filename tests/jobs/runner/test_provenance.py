"""The checked-out revision is read from git's files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobs.runner.provenance import provenance

AUTHOR = ["-c", "user.name=t", "-c", "user.email=t@example.org"]


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1.2.3"\n')
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "one")
    return folder


def test_the_revision_is_found_loose_packed_detached_and_in_a_worktree(project: Path, tmp_path: Path) -> None:
    revision = _git(project, "rev-parse", "HEAD")
    _git(project, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side")

    loose = provenance("ml", project)
    in_worktree = provenance("ml", tmp_path / "tree")
    _git(project, "pack-refs", "--all")
    packed = provenance("ml", project)
    _git(project, "checkout", "-q", "--detach")
    detached = provenance("ml", project)

    assert loose == {"version": "1.2.3", "revision": revision, "environment": "ml", "lock_sha256": None}
    assert [found["revision"] for found in (in_worktree, packed, detached)] == [revision] * 3


def test_without_git_and_lock_they_are_unknown(tmp_path: Path) -> None:
    assert provenance("ml", tmp_path) == {
        "version": None, "revision": None, "environment": "ml", "lock_sha256": None,
    }  # fmt: skip


def test_a_shim_starts_without_what_only_an_installation_without_sources_needs() -> None:
    """It starts at every attempt: ``importlib.metadata`` loads the e-mail package, a sixth of the start."""
    program = "import sys, jobs.runner.shim.shim; sys.exit('email' in sys.modules)"

    subprocess.run([sys.executable, "-S", "-c", program], check=True, timeout=60)
