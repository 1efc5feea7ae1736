"""The pages: their paths and links exist, and they are short and plain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_plain_english import BANNED

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md", "CHANGELOG.md", "SKILL.md")]
    + list((ROOT / "docs").rglob("*.md"))
)
PATH = re.compile(r"`((?:jobs|server|tools|tests|docs|samples|bench|references)/[\w./*<>-]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
NO_PATHS = {"tools/list"}  # a method of the protocol
MOST_LINES_OF_README = 150
BESIDE_DOCS = ("references/", "CONTRIBUTING.md", "CHANGELOG.md")  # pages that docs/site_hooks.py adds to the site


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def exists(path: str) -> bool:
    """Whether a path of the repository exists; ``<kind>`` and ``*`` stand for any name."""
    return any(ROOT.glob(re.sub(r"<\w+>", "*", path).rstrip("/")))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    found = set(PATH.findall(page.read_text(encoding="utf-8"))) - NO_PATHS

    assert [path for path in found if not exists(path)] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8"))]
    relative = [link for link in links if link and ":" not in link]
    of_the_site = page.parent == ROOT / "docs"

    broken = [
        link
        for link in relative
        if not (page.parent / link).exists()
        and not (of_the_site and link.startswith(BESIDE_DOCS) and (ROOT / link).exists())
    ]

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_pages_speak_plain_english(page: Path) -> None:
    prose = CODE.sub("", page.read_text(encoding="utf-8"))

    assert [found[0] for found in BANNED.finditer(prose)] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MOST_LINES_OF_README
