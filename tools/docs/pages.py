"""Text of the generated pages and of the workflow, made of the registry of tools."""

import re

from jobs.error_codes import ALIASES, CODES, REASONS
from tools.core.registry import Tool, ordered_tools
from tools.core.tool_types import StartArgs
from tools.docs.help import help_text

STEPS = """# When a job or a call fails

1. Read `error.code` and `next` of `get_job`; `next` is the call to make. `log_lines: 50` shows more of the log.
2. Find the `reason` of a failed job and the `code` of an error below. Both are stable.
3. Correct the cause and repeat the call: finished work is kept, and a repeated call returns the same job.
4. Noise or babble after training is no error: look at `base_check` in the training's report, lower `lr`, train fewer
   `epochs`, and listen to the clips themselves.
5. Without a GPU or weights, run `./run.sh doctor`: it lists what is missing, its cost, and the command that gets it.
6. A lost connection loses nothing. Jobs continue, and `list_jobs` finds them.
"""


def tools_table() -> str:
    """Return a row for each tool: name, what it does, the arguments of most calls; required ones are bold."""
    rows = [f"| `{tool.name}` | {tool.summary} | {_arguments(tool)} |" for tool in ordered_tools()]
    return "\n".join(["| tool | what it does | arguments |", "|---|---|---|", *rows])


def workflow() -> str:
    """Return the steps from a recording to a rated voice as a numbered list."""
    steps = [tool.hints.step for tool in ordered_tools() if tool.hints.step]
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


def original_commands_table() -> str:
    """Return a row for each command of the original skill: its words, and the tool that it calls."""
    rows = [f"| `{command.about}` | `{tool.name}` |" for tool in ordered_tools() for command in tool.commands]
    return "\n".join(["| command | tool |", "|---|---|", *rows])


def parameters_page() -> str:
    """Return the page of all tools with all their parameters and examples."""
    head = "# Every tool, every parameter\n\nWritten by `./run.sh docs`. The same as `list_jobs explain=TOOL`.\n"
    return "\n".join([head, *(f"## {tool.name}\n\n{_help_in_markdown(tool)}\n" for tool in ordered_tools())])


def failures_page() -> str:
    """Return the page of what to do when a job or a call fails, with every error code."""
    parts = [STEPS, "## Reasons of failed jobs\n", _table(REASONS)]
    for subject, codes in CODES.items():
        parts += [f"## {subject}\n", _table(codes)]
    retired = {old: f"Replaced by `{new}`." for old, new in ALIASES.items()}
    return "\n".join([*parts, "## Retired codes\n", _table(retired)])


def replace_block(page: str, name: str, text: str) -> str:
    """Return a page with a text between its two marks ``<!-- NAME: … -->`` and ``<!-- /NAME -->``.

    Raises ``ValueError``: the page has no such marks.
    """
    begin, end = f"<!-- {name}: written by ./run.sh docs -->", f"<!-- /{name} -->"
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"no {begin!r} … {end!r} in the page")
    return pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page)


def _table(sentences: dict[str, str]) -> str:
    rows = [f"| `{code}` | {sentence} |" for code, sentence in sentences.items()]
    return "\n".join(["| code | meaning |", "|---|---|", *rows, ""])


def _arguments(tool: Tool) -> str:
    shared = StartArgs.model_fields if issubclass(tool.args, StartArgs) else {}
    shown = []
    for name, field in tool.args.model_fields.items():
        extra = field.json_schema_extra
        is_rare = isinstance(extra, dict) and extra.get("rare")
        if name not in shared and not is_rare:
            shown.append(f"**`{name}`**" if field.is_required() else f"`{name}`")
    return ", ".join(shown)


def _help_in_markdown(tool: Tool) -> str:
    about, _, rest = help_text(tool).removeprefix(f"{tool.name}: ").partition("\n\nParameters:\n")
    parameters, _, examples = rest.partition("\n\nExamples:\n")
    return f"{about}\n\n{parameters}" + (f"\n\n```\n{examples}\n```" if examples else "")
