"""Jinja2 rendering of the HTML reports.

Values are escaped, and a value that a template misses is an error. Kinds pass plain data: strings, numbers, lists,
dictionaries and dataclasses.
"""

import base64
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from jobs.files.atomic_io import write_text

TEMPLATES = Path(__file__).parent / "templates"
MISSING = "–"


def write_page(path: Path, template: str, **values: Any) -> None:
    """Render a page and write it atomically.

    Args:
        path: HTML file to write.
        template: name in ``templates/`` without ``.html.j2``.
        values: variables of the template.
    """
    write_text(path, _environment().get_template(f"{template}.html.j2").render(values))


def embed_picture(path: Path) -> str:
    """Return a PNG file as a data URL."""
    return data_url(path.read_bytes(), "image/png")


def data_url(content: bytes, media_type: str) -> str:
    """Return content as a URL that holds it."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


@cache
def _environment() -> Environment:
    return make_environment(TEMPLATES)


def make_environment(*folders: Path) -> Environment:
    """Return an environment of templates in which values are escaped and a missing one is an error."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": _number, "percent": _percent, "relative_url": quote, "breakable": _breakable,
    }  # fmt: skip
    return environment


def _number(value: float | None, digits: int = 0) -> str:
    return MISSING if value is None else f"{value:,.{digits}f}"


def _percent(share: float | None, digits: int = 0) -> str:
    return MISSING if share is None else f"{share:.{digits}%}"


def _breakable(name: str) -> Markup:
    """Allow a line break after each underscore of a parameter's name."""
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))
