"""Pages from Jinja2 templates: everything escaped, scripts from files of ours only."""

import secrets
import time
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from jobs.escaping import escape, escape_line
from jobs.model_folders.voice_names import name_model
from jobs.reports.html import TEMPLATES as REPORT_TEMPLATES
from jobs.reports.html import make_environment
from server.cli.render import duration_text, size_text

TEMPLATES = Path(__file__).with_name("templates")


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page or a part of one.

    Args:
        request: that is answered.
        template: name in ``templates/`` without ``.html.j2``.
        status: of the response.
        values: variables of the template.
    """
    nonce = secrets.token_urlsafe(12)
    common = {"root": request.scope["root_path"], "nonce": nonce, "path": request.url.path}
    page = environment().get_template(f"{template}.html.j2").render(common | values)
    # The nonce is for the style of the waveform, which its library sets in its own part of the page.
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(page, status, {"Content-Security-Policy": policy})


def stylesheet() -> str:
    """Return the style of the reports, and what the application has beside it."""
    return "\n".join(environment().get_template(name).render() for name in ("report.css", "web.css"))


@cache
def environment() -> Environment:
    """Return the environment of the pages' templates; those of the reports lie beside them."""
    made = make_environment(TEMPLATES, REPORT_TEMPLATES)
    made.filters |= {"duration": _duration, "size": size_text, "ago": _ago, "clock": _clock, "shown": escape,
                     "line": escape_line, "voice_name": name_model}  # fmt: skip
    return made


def _duration(seconds: float | None) -> str:
    return "–" if seconds is None else duration_text(seconds)


def _ago(at: float) -> str:
    """Return how long ago a moment was, in one unit."""
    past_s = max(0.0, time.time() - at)
    for unit, in_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if past_s >= in_s:
            return f"{past_s / in_s:.0f} {unit} ago"
    return "just now"


def _clock(seconds: float | None) -> str:
    """Return a place in a recording as ``1:02:03.4``."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}:{minutes:02d}:" if hours else f"{minutes}:") + f"{rest:04.1f}"
