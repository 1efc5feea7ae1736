"""Rendering of a research answer: Markdown for a file, plain text for a terminal.

Text of third parties stands in code marks, so that Markdown in it has no effect.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from jobs.web_research_hparams.evidence.number_parsing import format_number

MAX_CONFLICTS_SHOWN, MAX_VALUES_SHOWN = 2, 12  # in a terminal


def render_markdown(content: Mapping[str, Any]) -> str:
    """Render the whole answer, plain data with ``asked`` and ``answered_at``, as Markdown."""
    asked = ", ".join(
        f"{name} {value}" for name, value in content["asked"].items() if isinstance(value, str | int | float)
    )
    lines = [
        "# Settings for training a Qwen3-TTS voice",
        "",
        f"Asked: {_code(asked or 'defaults')}, answered {content['answered_at']}.",
        "",
        *_bullets(content["summary"]),
        "",
        "## Settings",
        "",
        "| setting | start | worth trying | evidence | conflicting sources |",
        "|---|---|---|---|---|",
        *(_setting(name, view) for name, view in content["parameters"].items()),
        "",
        "## Points to try first",
        "",
        *(
            f"- {_point(point)} — {', '.join(ids) or 'judgement'}"
            for point, ids in zip(content["starting_points"], content["points_because"], strict=True)
        ),
        "",
    ]
    lines += _section("Your settings", _bullets(content.get("your_settings", [])))
    lines += _section("Cautions", _bullets(content.get("cautions", [])))
    lines += _section("Evidence", [line for one in content["evidence"] for line in _evidence(one)])
    lines += _section("Rejected by rules", [line for one in content.get("rejected", []) for line in _evidence(one)])
    lines += _section("Meanings of the loss states", _bullets(f"{n}: {t}" for n, t in content["loss_states"].items()))
    search = content["search"]
    states = [f"{name}: {_source(state)}" for name, state in search.get("sources", {}).items()]
    lines += _section("Sources asked", _bullets(states or [_code(search.get("why", ""))]))
    return "\n".join([*lines, content["warning"], ""])


def render_text(content: Mapping[str, Any]) -> str:
    """Render the answer for a terminal: cited facts, the values that count first, and files with the rest."""
    views = content["parameters"].values()
    cited = {one for view in views for one in view.get("evidence", [])}
    cited |= {one["id"] for view in views for one in view.get("conflicts", [])[:MAX_CONFLICTS_SHOWN]}
    figures = sorted(
        (one for one in content["evidence"] if one.get("verdict")), key=lambda one: one["verdict"] != "counts"
    )
    lines = [*content["summary"], "", f"{'setting':28} {'start':15} {'worth trying':16} evidence"]
    for name, view in content["parameters"].items():
        ids = view.get("evidence", [])
        rests = ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "") or "judgement"
        lines.append(f"{name:28} {_value(view.get('start', '')):15} {_span(view):16} {rests}")
    blocks = {
        "conflicting sources": [
            f"{name} {one['says']} ({one['id']}): {one['why_lower']}"
            for name, view in content["parameters"].items()
            for one in view.get("conflicts", [])[:MAX_CONFLICTS_SHOWN]
        ],
        "points to try first": [f"{_point(point)} [{point['source']}]" for point in content["starting_points"]],
        "your settings": content.get("your_settings", []),
        "cautions": content.get("cautions", []),
        "facts": [
            f"{one['id']}: {one['says']} [{one['source']}]"
            for one in content["evidence"]
            if not one.get("verdict") and one["id"] in cited
        ],
        "found (text of third parties)": [_found(one) for one in figures[:MAX_VALUES_SHOWN]],
        "rejected": [_found(one) for one in content.get("rejected", [])[:MAX_VALUES_SHOWN]],
        "asked": [f"{name}: {_source(state)}" for name, state in content["search"].get("sources", {}).items()],
        "files": list(content.get("files", {}).values()),
    }
    for title, texts in blocks.items():
        lines += ["", f"{title}:", *(f"  {text}" for text in texts)] if texts else []
    return "\n".join([*lines, "", f"next: {content['next']}", ""])


def _found(one: Mapping[str, Any]) -> str:
    judged = f"{one['id']} {one['says']}: {one['verdict']}, {one.get('why', '')}"
    return f"{judged} [{one['source']}] {_code(one['untrusted_quote'])}"


def _setting(name: str, view: Mapping[str, Any]) -> str:
    others = "; ".join(f"{one['says']} ({one['id']}: {one['why_lower']})" for one in view.get("conflicts", []))
    evidence = ", ".join(view.get("evidence", [])) or "judgement"
    return f"| {name} | {_value(view.get('start', ''))} | {_span(view)} | {evidence} | {others} |"


def _evidence(one: Mapping[str, Any]) -> list[str]:
    what = ", ".join(str(one[name]) for name in ("loss_state", "verdict", "date") if one.get(name))
    lines = [f"- **{one['id']}** {one['says']} [{what}] {_code(one['source'])}"]
    if one.get("why"):
        lines.append(f"  - {one['why']}")
    if one.get("untrusted_quote"):
        lines.append(f"  - quote: {_code(one['untrusted_quote'])}")
    return lines


def _source(state: Mapping[str, Any]) -> str:
    age = state.get("age_days")
    when = "" if age is None else ", now" if age == 0 else f", {age:.1f} days old"
    why = f" ({_code(state['why'])})" if state.get("why") else ""
    return f"{state['state']}, {state.get('pages', 0)} pages{when}{why}"


def _span(view: Mapping[str, Any]) -> str:
    return f"{format_number(view['low'])} to {format_number(view['high'])}" if view.get("high") is not None else ""


def _point(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in point.items() if name != "source")


def _value(value: Any) -> str:
    return format_number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""] if lines else []


def _bullets(texts: Iterable[str]) -> list[str]:
    return [f"- {text}" for text in texts]


def _code(text: Any) -> str:
    return f"`{str(text).replace('`', chr(39)).replace('|', '/')}`"
