"""Jobs: the list with what runs now, and a job with its log, curves, result and next step."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from jobs.runner.client.web_page import SEEN_AT
from server.web.calls import call_tool, context_of, read_form
from server.web.job_rows import draw_curves, make_row, read_rows, signature, sort_recent
from server.web.machine import Machine
from server.web.pages.training import TRAINING, show_training
from server.web.rendering import render
from tools.core.call_text import call_of
from tools.core.registry import find_kind_tool
from tools.get_artifact import MEDIA_TYPES, guess_mime_type, is_text

LOOK_EVERY_S, BEAT_EVERY_S = 1.0, 15.0
LOG_LINES = 100
# What a page that a job wrote may do in its own window: show itself.
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


async def jobs(request: Request) -> Response:
    """Show the list."""
    return render(request, "jobs", **await _list(request))


async def job_list(request: Request) -> Response:
    """Show the list's part that changes."""
    return render(request, "job_list", **await _list(request))


async def _list(request: Request) -> dict[str, Any]:
    state, kind = (request.query_params.get(name, "") for name in ("state", "kind"))
    rows = await to_thread.run_sync(partial(read_rows, context_of(request).runner, state, kind))
    return {"rows": sort_recent(rows), "state": state, "kind": kind}


async def machine(request: Request) -> Response:
    """Show disk, memory and GPUs."""
    reader: Machine | None = getattr(request.app.state, "machine", None)
    if reader is None:
        reader = request.app.state.machine = Machine(context_of(request).settings.home)
    return render(request, "machine", machine=await to_thread.run_sync(reader.read))


async def events(request: Request) -> Response:
    """Send an event whenever the list of jobs has changed, until the page is left."""
    return StreamingResponse(_changes(request), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _changes(request: Request, look_every_s: float = LOOK_EVERY_S) -> AsyncIterator[str]:
    seen, silent_s = "", 0.0
    yield "retry: 2000\n\n"
    while not await request.is_disconnected():
        now = await to_thread.run_sync(signature, context_of(request).runner)
        if now != seen:
            yield "event: jobs\ndata: changed\n\n"
            seen, silent_s = now, 0.0
        elif silent_s >= BEAT_EVERY_S:
            yield ": here\n\n"
            silent_s = 0.0
        await asyncio.sleep(look_every_s)
        silent_s += look_every_s


async def job(request: Request) -> Response:
    """Show one job."""
    return render(request, "job", **await _job(request), curves=await _curves(request))


async def job_part(request: Request) -> Response:
    """Show the part of a job's page that changes."""
    return render(request, "job_part", **await _job(request))


async def _job(request: Request) -> dict[str, Any]:
    job_id = request.path_params["job_id"]
    view = await call_tool(request, "get_job", {"job_id": job_id, "log_lines": LOG_LINES, "detail": True})
    context = context_of(request)
    row = await to_thread.run_sync(lambda: make_row(context.runner.get(job_id), context.runner))
    lineage = await to_thread.run_sync(context.runner.lineage, job_id)
    training = None
    if row.record.kind == TRAINING:
        training = await to_thread.run_sync(show_training, row.record, context.settings)
    next_step = view.next.partition(SEEN_AT)[0]  # this is that page
    return {"view": view, "next_step": next_step, "row": row, "lineage": lineage, "training": training}


async def metrics(request: Request) -> Response:
    """Return the metrics of a job for its plot."""
    return JSONResponse(await _curves(request))


async def _curves(request: Request) -> dict[str, Any]:
    history = await to_thread.run_sync(context_of(request).runner.history, request.path_params["job_id"])
    return await to_thread.run_sync(draw_curves, history)


async def cancel(request: Request) -> Response:
    """Cancel a job, and show it."""
    await call_tool(request, "cancel_job", {"job_id": request.path_params["job_id"]})
    return render(request, "job_part", **await _job(request))


async def again(request: Request) -> Response:
    """Start a job with the same parameters, or show what that would take; ``dry_run`` in the form says which."""
    form = await read_form(request)
    context = context_of(request)
    record = await to_thread.run_sync(context.runner.get, request.path_params["job_id"])
    tool = find_kind_tool(record.kind)
    if tool is None:
        raise HTTPException(400, f"No tool starts jobs of the kind {record.kind}")
    arguments = call_of(record, tool.args) | {"dry_run": bool(form.get("dry_run")), "reuse": False}
    answer = await call_tool(request, tool.name, arguments)
    return render(request, "started", view=getattr(answer, "job", answer), is_dry_run=bool(form.get("dry_run")))


async def artifact(request: Request) -> Response:
    """Send a file that a job made: pictures, sounds, texts, and reports without scripts."""
    job_id, name = request.path_params["job_id"], request.path_params["name"]
    found = await call_tool(request, "get_artifact", {"handle": f"artifact://{job_id}/{name}"})
    path = Path(found.path)
    mime_type = guess_mime_type(path)
    if not (mime_type in MEDIA_TYPES or is_text(mime_type)):
        raise HTTPException(404, "A file of this type is not shown; use its path.")
    if mime_type != "text/html" and is_text(mime_type):
        mime_type = "text/plain"
    return FileResponse(path, media_type=mime_type, headers={"Content-Security-Policy": REPORT_POLICY})


ROUTES = [
    Route("/jobs/list", job_list),
    Route("/jobs/events", events),
    Route("/machine", machine),
    Route("/jobs/{job_id}", job),
    Route("/jobs/{job_id}/part", job_part),
    Route("/jobs/{job_id}/metrics", metrics),
    Route("/jobs/{job_id}/cancel", cancel, methods=["POST"]),
    Route("/jobs/{job_id}/again", again, methods=["POST"]),
    Route("/jobs/{job_id}/files/{name:path}", artifact),
]
