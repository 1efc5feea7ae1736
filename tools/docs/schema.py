"""Entry of a tool in ``tools/list``. An agent pays for every word of all tools at once, so all of them fit in 26 KB.

Titles, schemas of answers, and empty defaults are left out. Parameters that
few calls need (``jobs.param_types.rare``) share one property, ``more``, whose description lists them with type and
range; ``tools.docs.help`` describes them all, and ``tools.inputs.arguments`` accepts them in ``more`` or beside the
others. The arguments that all start tools share are described once, by ``list_jobs``.
"""

from collections.abc import Mapping
from typing import Any

from jobs.param_types import PathMark, find_mark
from tools.core.registry import Tool
from tools.core.tool_types import StartArgs
from tools.inputs.arguments import MORE

LONGEST_DEFAULT, LONGEST_ENUM = 20, 40
# Lengths are generous and patterns are described in words; a call that violates one gets an error.
_LEFT_OUT = frozenset({"title", "$defs", "rare", "minLength", "maxLength", "minItems", "maxItems", "pattern"})


def listed(tool: Tool) -> dict[str, Any]:
    """Return the entry of a tool for the wire."""
    return {
        "name": tool.name,
        "description": tool.description.replace("\n\n", "\n"),
        "inputSchema": input_schema(tool),
        "annotations": _annotations(tool),
    }


def input_schema(tool: Tool) -> dict[str, Any]:
    """Return the JSON Schema of the arguments without references and unions, which some clients refuse."""
    schema = dict(_short(whole := tool.args.model_json_schema(), whole.get("$defs", {}), is_field=False))
    shared = StartArgs.model_fields.keys() if issubclass(tool.args, StartArgs) else frozenset()
    rare = {name for name, field in whole["properties"].items() if field.get("rare")}
    fields = {
        name: {key: value for key, value in field.items() if name not in shared or key in ("type", "items")}
        for name, field in schema["properties"].items()
        if name not in rare
    }
    if rare:
        brief = ", ".join(
            _in_brief(name, schema["properties"][name]) for name in schema["properties"] if name in rare - shared
        )
        fields[MORE] = {"type": "object", "description": f"Seldom: {brief}"}
    return schema | {"properties": fields}


def in_brief(tool: Tool) -> dict[str, str]:
    """Return every parameter of a tool with type and range in few characters: ``lora_r 1..256``."""
    whole = tool.args.model_json_schema()
    schema = _short(whole, whole.get("$defs", {}), is_field=False)
    return {name: _in_brief(name, field) for name, field in schema["properties"].items()}


def _annotations(tool: Tool) -> dict[str, bool]:
    """Annotations that differ from the protocol's defaults (writes, is destructive, reaches out to other services).

    For a tool that only reads, the other annotations have no meaning.
    """
    hints = tool.hints
    annotations = {"openWorldHint": hints.open_world}
    if hints.read_only:
        return annotations | {"readOnlyHint": True}
    annotations |= {"destructiveHint": hints.destructive or _replaces_outputs(tool)}
    return annotations | ({"idempotentHint": True} if hints.idempotent else {})


def _replaces_outputs(tool: Tool) -> bool:
    """True when a parameter says where something is written: what an earlier job made there is replaced."""
    marks = [find_mark(field) for field in tool.args.model_fields.values()]
    return any(isinstance(mark, PathMark) and mark.direction == "output" for mark in marks)


def _short(schema: Mapping[str, Any], definitions: Mapping[str, Any], *, is_field: bool = True) -> Mapping[str, Any]:
    if "$ref" in schema:
        meant = definitions[schema["$ref"].rpartition("/")[2]]
        schema = {key: value for key, value in meant.items() if key != "description"} | {
            key: value for key, value in schema.items() if key != "$ref"
        }
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:  # null is left out: omitting the argument is the same, and some clients refuse lists of types
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return _short({**options[0], **rest}, definitions)
    short = {key: value for key, value in schema.items() if key not in _LEFT_OUT}
    if not is_field or not short.get("description"):
        short.pop("description", None)
    if "default" in short and (
        short["default"] in (None, False, "", [], {}) or len(str(short["default"])) > LONGEST_DEFAULT
    ):
        del short["default"]
    if "properties" in schema:
        short["properties"] = {name: _short(part, definitions) for name, part in schema["properties"].items()}
    if "items" in schema:
        short["items"] = _short(schema["items"], definitions)
    if schema.get("additionalProperties") not in (None, False):
        del short["additionalProperties"]  # its absence allows any type
    return short


def _in_brief(name: str, field: Mapping[str, Any]) -> str:
    kind = field.get("type", "any")
    if "enum" in field:
        return f"{name} {_cut('|'.join(map(str, field['enum'])))}"
    if kind == "array":
        return f"{name} [{_in_brief('', field.get('items', {})).strip()}]"
    if kind in ("integer", "number"):
        return f"{name} {_range(field, whole=kind == 'integer')}"
    return name if kind == "string" else f"{name} {'bool' if kind == 'boolean' else kind}"


def _range(field: Mapping[str, Any], *, whole: bool) -> str:
    """Range as ``1..256`` for whole numbers, ``0..1.0`` for others, ``int>=1`` or ``>0.0`` where one end is open."""
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high = field.get("maximum", field.get("exclusiveMaximum"))
    shown = {key: f"{value:g}" if whole or value % 1 else f"{value:.1f}" for key, value in (
        ("low", low), ("above", above), ("high", high)) if value is not None}  # fmt: skip
    if "high" in shown:
        start = low if low is not None else above
        return f"{'' if low is not None else '>'}{start:g}..{shown['high']}"
    ends = f">={shown['low']}" if "low" in shown else f">{shown['above']}" if "above" in shown else ""
    return ("int" if whole else "") + ends or "number"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_ENUM else text[: text.rindex("|", 0, LONGEST_ENUM)] + "|…"
