"""Datasets: the table of clips and rejections, and the correction of one by ear."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from anyio import to_thread
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from jobs.apply_corrections.excerpts import has_excerpts, read_excerpt, with_margin
from jobs.dataset.corrections.base import MANIFEST
from jobs.dataset.rejection_reasons import MEANING
from jobs.errors import UserError
from server.web.calls import call_tool, context_of, error_parts, find_named, read_form
from server.web.clip_sound import find_clip_sound
from server.web.clip_table import ORDERS, PAGE, SHOWS, ClipLine, ClipTable, Query
from server.web.clip_tables import ClipTables
from server.web.rendering import render
from server.web.word_times import find_words
from tools.inputs.references import list_datasets


async def datasets(request: Request) -> Response:
    """Show the list of datasets."""
    found = await to_thread.run_sync(list_datasets, context_of(request).settings)
    ready = {name: path for name, path in found.items() if (path / MANIFEST).is_file()}
    return render(request, "datasets", datasets=ready)


async def dataset(request: Request) -> Response:
    """Show one dataset; at first that it is read, where that takes long."""
    folder = await find_named(request, "dataset")
    if "read" not in request.query_params and not _tables(request).is_known(folder):
        return render(request, "reading", name=request.path_params["name"])
    return render(request, "dataset", **await _page(request))


async def clips(request: Request) -> Response:
    """Show the page of the table that a query wants."""
    return render(request, "clips", **await _page(request))


async def clip(request: Request) -> Response:
    """Show one clip to hear and to correct."""
    folder = await find_named(request, "dataset")
    table = await _table(request, folder)
    line = _line(table, request.query_params.get("key", ""))
    return render(request, "clip", **await _clip(request, folder, line, "around" in request.query_params))


async def audio(request: Request) -> Response:
    """Send the sound of a clip, or a part of it."""
    folder = await find_named(request, "dataset")
    name = request.query_params.get("file", "")
    if name not in (await _table(request, folder)).audio:
        raise HTTPException(404, "The dataset has no such clip")
    try:
        path = await to_thread.run_sync(find_clip_sound, folder, name, context_of(request).settings)
    except OSError as error:
        raise HTTPException(404, "The audio file is missing") from error
    return FileResponse(path, media_type="audio/wav", headers={"Cache-Control": "private, max-age=600"})


async def excerpt(request: Request) -> Response:
    """Send the part of the recording that a clip or rejection lies in, with a second before and after it."""
    folder = await find_named(request, "dataset")
    line = _line(await _table(request, folder), request.query_params.get("key", ""))
    if line.place is None:
        raise HTTPException(404, "It has no place in a recording")
    sound = await to_thread.run_sync(read_excerpt, folder, line.place, context_of(request).settings)
    return Response(sound, media_type="audio/wav", headers={"Cache-Control": "private, max-age=600"})


async def correct(request: Request) -> Response:
    """Store a correction and show the clip as it is now; where somebody was faster, as that one left it."""
    folder = await find_named(request, "dataset")
    form = await read_form(request)
    key, error = form.get("clip", ""), None
    try:
        changes = _changes(form, await _table(request, folder))
        arguments = {"manifest": str(folder), "changes": changes, "who": form.get("who", "")[:100], "only_store": True}
        await call_tool(request, "apply_corrections", arguments)
    except UserError as refused:
        error = error_parts(refused)
    table = await _table(request, folder)
    status = 200 if error is None else 409 if error["code"] == "correction_conflict" else 400
    line, text = _line(table, key), " ".join(form.get("text", "").split())
    values = await _clip(request, folder, line) | {"error": error, "is_answer": True, "table": table}
    lost = text if status == 409 and text != line.shown_text else ""
    return render(request, "clip", status=status, **values, lost=lost)


async def apply(request: Request) -> Response:
    """Start the jobs that apply all corrections."""
    folder = await find_named(request, "dataset")
    answer = await call_tool(request, "apply_corrections", {"manifest": str(folder)})
    return render(request, "applied", job=answer.job, then=answer.then)


def _changes(form: dict[str, str], table: ClipTable) -> list[dict[str, Any]]:
    """Return the changes that a form asks for; a clip is joined with the next one, which is left out then."""
    line = _line(table, form.get("clip", ""))
    change: dict[str, Any] = {"clip": line.key, "action": form.get("action", "change"), "seen": form.get("seen", "")}
    if change["action"] == "change":
        return [change | {"parts": _parts(form, line)}]
    if change["action"] != "join":
        return [change]
    after = table.next_kept(line)
    if after is None:
        raise UserError("clip_unknown", "No clip follows it in this recording.", "Nothing was stored.")
    whole = {"text": f"{line.shown_text} {after.shown_text}", "start_s": line.borders[0], "end_s": after.borders[1]}
    return [
        change | {"action": "change", "parts": [whole]},
        {"clip": after.key, "action": "drop", "seen": after.seen},
    ]


def _parts(form: dict[str, str], line: ClipLine) -> list[dict[str, Any]]:
    """Return what a form changes of a clip: only what differs from it, or the two parts of a split."""
    start_s, end_s = (_seconds(form, name) for name in ("start_s", "end_s"))
    text = " ".join(form.get("text", "").split())
    if form.get("split_s"):
        middle_s = _seconds(form, "split_s")
        first = {"text": text, "start_s": start_s, "end_s": middle_s}
        return [first, {"text": " ".join(form.get("text_after", "").split()), "start_s": middle_s, "end_s": end_s}]
    part: dict[str, Any] = {}
    if text != line.shown_text:
        part["text"] = text
    for name, was_s, now_s in zip(("start_s", "end_s"), line.borders, (start_s, end_s), strict=True):
        if now_s is not None and abs(now_s - was_s) > 0.0005:
            part[name] = now_s
    if not part:
        raise UserError("bad_arguments", "Nothing was changed.", "Change the text or the borders first.")
    return [part]


def _seconds(form: dict[str, str], name: str) -> float | None:
    if not form.get(name):
        return None
    try:
        found = float(form[name])
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise UserError("bad_arguments", f"{name} is no number: {form[name][:40]!r}.", "Give seconds.")
    return round(found, 4)


def _tables(request: Request) -> ClipTables:
    tables: ClipTables | None = getattr(request.app.state, "tables", None)
    if tables is None:
        tables = request.app.state.tables = ClipTables()
    return tables


async def _table(request: Request, folder: Path) -> ClipTable:
    return await to_thread.run_sync(_tables(request).get, folder)


async def _page(request: Request) -> dict[str, Any]:
    folder = await find_named(request, "dataset")
    table = await _table(request, folder)
    query = _query(request.query_params)
    found = table.find(query)
    n_pages = max(1, -(-len(found) // PAGE))
    query = replace(query, page=min(query.page, n_pages - 1))
    given = {name: value for name, value in vars(query).items() if name != "page" and value not in ("", None)}
    return {
        "name": request.path_params["name"],
        "here": f"{request.scope['root_path']}{_path_of(request)}",
        "table": table,
        "query": query,
        "lines": found[query.page * PAGE : (query.page + 1) * PAGE],
        "n_found": len(found),
        "n_pages": n_pages,
        "others": urlencode(given),
        "meaning": MEANING,
        "orders": list(ORDERS),
        "shows": list(SHOWS),
    }


def _query(params: QueryParams) -> Query:
    page = params.get("page", "")
    return Query(
        words=params.get("words", "")[:200],
        reason=params.get("reason", "")[:200],
        chapter=params.get("chapter", "")[:200],
        speaker=params.get("speaker", "")[:200],
        least_s=_number(params.get("least_s", "")),
        most_s=_number(params.get("most_s", "")),
        most_score=_number(params.get("most_score", "")),
        show=params.get("show", "speech"),
        sort=params.get("sort", "place"),
        page=int(page) if page.isdecimal() and len(page) < 7 else 0,
    )


def _number(given: str) -> float | None:
    """Return the number of a filter; None for none."""
    try:
        found = float(given)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _line(table: ClipTable, key: str) -> ClipLine:
    if key not in table.by_key:
        raise UserError("clip_unknown", "The dataset has no such clip any more.", "Load the page again.")
    return table.by_key[key]


async def _clip(request: Request, folder: Path, line: ClipLine, is_around: bool = False) -> dict[str, Any]:
    """Return what the panel of a clip shows: its file, or the part of the recording around it."""
    here = f"{request.scope['root_path']}{_path_of(request)}"
    settings = context_of(request).settings
    can_read = line.place is not None and await to_thread.run_sync(has_excerpts, folder, line.recording, settings)
    is_around = can_read and (is_around or not line.audio)
    sound_start_s = with_margin(line.place).start_s if is_around and line.place is not None else line.start_s or 0.0
    around = f"{here}/excerpt?{urlencode({'key': line.key})}"
    sound = f"{here}/audio?{urlencode({'file': line.audio})}" if line.audio else ""
    return {
        "line": line,
        "words": await to_thread.run_sync(find_words, folder, line) if sound or is_around else [],
        "here": here,
        "sound": around if is_around else sound,
        "sound_start_s": sound_start_s,
        "around": f"{here}/clip?{urlencode({'key': line.key, 'around': 1})}" if can_read and not is_around else "",
        "meaning": MEANING,
        "error": None,
        "is_answer": False,
    }


def _path_of(request: Request) -> str:
    return str(request.app.url_path_for("dataset", name=request.path_params["name"]))


ROUTES = [
    Route("/datasets", datasets),
    Route("/datasets/{name}", dataset, name="dataset"),
    Route("/datasets/{name}/clips", clips),
    Route("/datasets/{name}/clip", clip),
    Route("/datasets/{name}/audio", audio),
    Route("/datasets/{name}/excerpt", excerpt),
    Route("/datasets/{name}/correct", correct, methods=["POST"]),
    Route("/datasets/{name}/apply", apply, methods=["POST"]),
]
