"""Full help of a tool: what a listing, which must be short, leaves out."""

from jobs.runner.call_text import call_text
from tools.core.registry import Tool, find_tool
from tools.docs.schema import in_brief


def explain_tool(asked: str) -> str:
    """Return the help that ``list_jobs explain=…`` gives. Raises ``UserError``: ``unknown_tool``."""
    name, *words = asked.replace(".", " ").split() or [""]
    return help_text(find_tool(name), words)


def help_text(tool: Tool, words: list[str] | None = None) -> str:
    """Return the description of a tool, its parameters with range, meaning and default, and examples.

    With ``words``: only parameters that contain one of them in name or description, and no examples.
    """
    lines = []
    for name, brief in in_brief(tool).items():
        field = tool.args.model_fields[name]
        line = f"- {brief}{'' if field.is_required() else _default(field.get_default(call_default_factory=True))}"
        line += f": {field.description}" if field.description else ""
        if not words or any(word.lower() in line.lower() for word in words):
            lines.append(line + (" (required)" if field.is_required() else ""))
    examples = [f"# {example.about}\n{call_text(tool.name, example.arguments)}" for example in tool.hints.examples]
    shown = ["", "Examples:", *examples] if examples and not words else []
    return "\n".join([f"{tool.name}: {tool.description}", "", "Parameters:", *lines, *shown])


def _default(value: object) -> str:
    if value in (None, "", [], {}):
        return ""
    return f" = {str(value).lower() if isinstance(value, bool) else value}"
