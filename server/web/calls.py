"""Calls of tools for the pages: the same checks and the same answers as for an agent."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from anyio import to_thread
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from jobs.errors import UserError
from jobs.http.request_body import read_body
from server.web.rendering import render
from tools.core.errors import error_fields, unexpected
from tools.core.registry import find_tool
from tools.core.tool_types import ToolContext
from tools.inputs.arguments import parse_arguments
from tools.inputs.references import list_all_voices, list_datasets

MOST_FORM_BYTES = 65_536
MOST_FIELDS = 64


def context_of(request: Request) -> ToolContext:
    """Return the surroundings of tools."""
    context: ToolContext = request.app.state.context
    return context


async def call_tool(request: Request, name: str, arguments: Mapping[str, Any]) -> Any:
    """Call a tool and return its answer. Raises ``UserError``: as the tool."""
    tool = find_tool(name)
    args = parse_arguments(tool.args, dict(arguments), tool=name)
    answer: BaseModel = await tool.run(args, context_of(request))
    return answer


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that htmx has sent, each with its last value. Raises ``HTTPException``."""
    return {name: values[-1] for name, values in (await read_fields(request)).items()}


async def read_fields(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form that htmx has sent, with all their values. Raises ``HTTPException``."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Content-Type must be application/x-www-form-urlencoded")
    body = await read_body(request, MOST_FORM_BYTES)
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise HTTPException(400, "The form cannot be read") from error


def error_parts(error: UserError) -> dict[str, str]:
    """Return code, message and hint of an error as they are shown; the hint may be empty."""
    return {"hint": ""} | dict(error_fields(error)["error"])


async def show_error(request: Request, error: Exception) -> Response:
    """Answer with the error of a tool, as a part of a page where htmx asked, else as a page."""
    if not isinstance(error, UserError):
        error = unexpected(request.url.path, error, context_of(request).settings.home)
    status = {"correction_conflict": 409, "job_unknown": 404, "page_missing": 404, "internal_error": 500}
    shown = error_parts(error)
    template = "error_part" if "HX-Request" in request.headers else "error"
    return render(request, template, status=status.get(error.code, 400), error=shown)


async def find_named(request: Request, kind: str) -> Path:
    """Return the folder of the dataset or voice in the path. Raises ``UserError``: ``page_missing``."""
    context, name = context_of(request), request.path_params["name"]
    listing = partial(list_all_voices, context.settings, context.runner)
    if kind == "dataset":
        listing = partial(list_datasets, context.settings)
    found = (await to_thread.run_sync(listing)).get(name)
    if found is None:
        raise UserError("page_missing", f"There is no {kind} {name!r} here.", "Go back to the list.")
    return found
