"""``docs``: the tables of tools in README and SKILL, and the page of all parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.files import write_text
from jobs.settings import PROJECT_ROOT
from server.cli.flags import Parser
from tools.docs.pages import long_table, parameters_page, short_table, with_table

TABLES = {"README.md": short_table, "SKILL.md": long_table}
PARAMETERS = "references/parameters.md"


def docs_command(words: Sequence[str], about: str, root: Path = PROJECT_ROOT) -> str:
    """Write what is made of the registry; the pages that changed, a line each."""
    Parser(prog="./run.sh docs", description=about).parse_args(list(words))
    changed = [name for name, text in pages(root).items() if _read(root / name) != text]
    for name in changed:
        (root / name).parent.mkdir(exist_ok=True)
        write_text(root / name, pages(root)[name])
    return "".join(f"wrote {name}\n" for name in changed) or "all pages are as the tools are\n"


def pages(root: Path = PROJECT_ROOT) -> dict[str, str]:
    """Every generated page as it should be, by its path."""
    written = {name: with_table(_read(root / name), table()) for name, table in TABLES.items()}
    return written | {PARAMETERS: parameters_page()}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
