"""``./run.sh docs`` and ``./run.sh tools``: generated pages and manifests, and the list of tools."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jobs.files.atomic_io import write_text
from jobs.settings import PROJECT_ROOT, Settings
from server.cli.flags import Parser
from server.cli.hints import command_line
from tools.core.registry import all_tools, ordered_tools
from tools.docs.pages import (
    failures_page,
    original_commands_table,
    parameters_page,
    replace_block,
    tools_table,
    workflow,
)
from tools.docs.plugin_manifests import make_manifests
from tools.docs.schema import listed


def shell_examples() -> str:
    """Return the examples of the tools that start a job as commands, in the order of the work."""
    examples = [(tool.name, example) for tool in ordered_tools() if tool.kind for example in tool.hints.examples]
    return "\n".join(
        ["```", *(f"# {example.about}\n{command_line(name, example.arguments)}" for name, example in examples), "```"]
    )


# Of these pages all is generated; of the others the blocks between two marks are, by their name.
WHOLE_PAGES: Mapping[str, Callable[[], str]] = {
    "references/parameters.md": parameters_page,
    "references/failures.md": failures_page,
}
BLOCKS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "SKILL.md": {"workflow": workflow, "tools": tools_table},
    "references/shell.md": {"examples": shell_examples},
    "references/original-commands.md": {"commands": original_commands_table},
}


def docs_command(words: Sequence[str], settings: Settings, about: str, root: Path = PROJECT_ROOT) -> str:
    """Write the generated pages; return one line for each that changed."""
    Parser(prog="./run.sh docs", description=about).parse_args(list(words))
    changed = {name: text for name, text in pages(root).items() if _read(root / name) != text}
    for name, text in changed.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(root / name, text)
    return "".join(f"wrote {name}\n" for name in changed) or "docs are up to date\n"


def tools_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Return the list of tools."""
    parser = Parser(prog="./run.sh tools", description=about)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    tools = all_tools().values()
    if parser.parse_args(words).json:
        return json.dumps({"tools": [listed(tool) for tool in tools]}, ensure_ascii=False) + "\n"
    return "".join(f"{tool.name:22}{tool.summary}\n" for tool in tools)


def pages(root: Path = PROJECT_ROOT) -> dict[str, str]:
    """Return the text of every generated page by its path."""
    found = {name: page() for name, page in WHOLE_PAGES.items()}
    for name, blocks in BLOCKS.items():
        found[name] = _read(root / name)
        for block, text in blocks.items():
            found[name] = replace_block(found[name], block, text())
    return {**found, **make_manifests(found["SKILL.md"])}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
