"""Everything about a tool, in words: what a listing that must be short leaves to whoever asks."""

from __future__ import annotations

from tools.core.registry import Tool, tool_named
from tools.docs.schema import in_brief


def help_of(asked: str) -> str:
    """The help that ``list_jobs explain=…`` gives: a tool's name, and words that choose among its parameters.

    Args:
        asked: ``start_training``, or ``start_training lora memory``.

    Raises:
        UserError: ``unknown_tool``.
    """
    name, *words = asked.replace(".", " ").split() or [""]
    return help_text(tool_named(name), words)


def help_text(tool: Tool, words: list[str] | None = None) -> str:
    """What a tool does and all its parameters: range, what it means, default.

    Args:
        tool: the tool.
        words: only parameters that contain one of these in name or description; none: all.
    """
    lines = []
    for name, brief in in_brief(tool).items():
        field = tool.args.model_fields[name]
        told = f"- {brief}{'' if field.is_required() else _default(field.get_default(call_default_factory=True))}"
        told += f": {field.description}" if field.description else ""
        if not words or any(word.lower() in told.lower() for word in words):
            lines.append(told + (" (required)" if field.is_required() else ""))
    return "\n".join([f"{tool.name}: {tool.description}", "", "Parameters:", *lines])


def _default(value: object) -> str:
    if value in (None, "", [], {}):
        return ""
    return f" = {str(value).lower() if isinstance(value, bool) else value}"
