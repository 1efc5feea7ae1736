"""The tables of tools in the pages that people and agents read, made of the registry: they cannot lag behind."""

from __future__ import annotations

import re

from tools.core.registry import Tool, all_tools
from tools.core.tool_types import StartArgs
from tools.docs.help import help_text

# The order of the work; whatever is not named follows in the order of the alphabet.
FIRST = (
    "ingest_audiobook", "ingest_clips", "align", "convert_codes", "web_research_hparams", "tune_hparams",
    "start_training", "synthesize", "rate_samples", "refine_voice", "make_voice",
)  # fmt: skip
LAST = ("schedule_job", "list_jobs", "get_job", "get_artifact", "cancel_job")
BEGIN, END = "<!-- tools: written by ./run.sh docs -->", "<!-- /tools -->"


def short_table() -> str:
    """A row a tool: its name and what it does."""
    rows = [f"| `{tool.name}` | {tool.summary} |" for tool in _in_order()]
    return "\n".join(["| tool | what it does |", "|---|---|", *rows])


def long_table() -> str:
    """The same with the arguments that most calls use; bold are those that none can do without."""
    rows = [f"| `{tool.name}` | {tool.summary} | {_arguments(tool)} |" for tool in _in_order()]
    return "\n".join(["| tool | what it does | arguments |", "|---|---|---|", *rows])


def with_table(page: str, table: str) -> str:
    """A page with the table between its two marks.

    Raises:
        ValueError: it has no such marks.
    """
    pattern = re.compile(re.escape(BEGIN) + r".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"no {BEGIN!r} … {END!r} in the page")
    return pattern.sub(lambda _: f"{BEGIN}\n{table}\n{END}", page)


def _in_order() -> list[Tool]:
    tools = all_tools()
    between = [name for name in tools if name not in FIRST + LAST]
    return [tools[name] for name in (*FIRST, *between, *LAST) if name in tools]


def _arguments(tool: Tool) -> str:
    shared = StartArgs.model_fields if issubclass(tool.args, StartArgs) else {}
    told = []
    for name, field in tool.args.model_fields.items():
        extra = field.json_schema_extra
        is_rare = isinstance(extra, dict) and extra.get("rare")
        if name not in shared and not is_rare:
            told.append(f"**`{name}`**" if field.is_required() else f"`{name}`")
    return ", ".join(told)


def parameters_page() -> str:
    """All tools with all their parameters."""
    head = "# Every tool, every parameter\n\nWritten by `./run.sh docs`. The same as `list_jobs explain=TOOL`.\n"
    return "\n".join([head, *(f"## {tool.name}\n\n{_help_in_markdown(tool)}\n" for tool in _in_order())])


def _help_in_markdown(tool: Tool) -> str:
    about, _, parameters = help_text(tool).partition("\n\nParameters:\n")
    return f"{about.removeprefix(f'{tool.name}: ')}\n\n{parameters}"
