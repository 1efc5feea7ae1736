"""Books: chapters and passages of narrations, to hear, with those that are doubtful and those to be spoken again."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from jobs.errors import UserError
from jobs.files.file_state import FileState, read_state
from jobs.files.reading import resolve_inside
from jobs.narrate.report.book_index import INDEX, BookIndex, IndexedChapter, IndexedPassage, read_index
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from server.web.calls import call_tool, context_of, read_fields
from server.web.job_rows import JobRow, make_row
from server.web.rendering import render
from tools.core.call_text import call_of
from tools.core.registry import find_kind_tool

NARRATION = "narrate"
MOST_JOBS = 200
SOUNDS = {".mp3": "audio/mpeg", ".flac": "audio/flac"}
TAKES = "passages"
MOST_INDEXES = 4  # kept in memory: a page asks for the sound of each of its passages


@dataclass(frozen=True)
class Book:
    """A folder of narrations.

    Attributes:
        newest: its last job.
        ready: the last one that has succeeded; None: there is none yet.
        title: of the book, else the name of its text's file.
    """

    newest: JobRow
    ready: JobRecord | None
    title: str


async def books(request: Request) -> Response:
    """Show the list of narrations."""
    found = await to_thread.run_sync(_list_books, context_of(request).runner)
    return render(request, "books", books=list(found.values()))


async def book(request: Request) -> Response:
    """Show a chapter of a book, or its doubtful passages."""
    return render(request, "book", **await to_thread.run_sync(_show, request))


async def state(request: Request) -> Response:
    """Show how far the newest narration of a book is."""
    runner = context_of(request).runner
    row = await to_thread.run_sync(_find, request.path_params["job_id"], runner)
    return render(request, "book_state", book=row, job_id=request.path_params["job_id"])


async def chapter_sound(request: Request) -> Response:
    """Send the sound of a chapter."""
    index, folder = await to_thread.run_sync(_read, request)
    chapter = _chapter(index, request.path_params["number"])
    return await to_thread.run_sync(_send, folder, chapter.audio, SOUNDS.get(Path(chapter.audio).suffix, ""))


async def passage_sound(request: Request) -> Response:
    """Send the take that is used for a passage."""
    index, folder = await to_thread.run_sync(_read, request)
    passage = _passages(index).get(request.path_params["key"])
    if passage is None:
        raise HTTPException(404, "The book has no such passage")
    return await to_thread.run_sync(_send, folder, f"{TAKES}/{passage.key}_{passage.attempt}.wav", "audio/wav")


async def again(request: Request) -> Response:
    """Start the job that speaks the chosen passages again."""
    keys = (await read_fields(request)).get("key", [])
    index, _ = await to_thread.run_sync(_read, request)
    passages = _passages(index)
    takes = {key: passages[key].attempt + 1 for key in keys if key in passages}
    if not takes:
        raise UserError("bad_arguments", "No passage was chosen.", "Choose those that are to be spoken again.")
    record, tool = _find(request.path_params["job_id"], context_of(request).runner).ready, find_kind_tool(NARRATION)
    assert record is not None
    assert tool is not None
    view = await call_tool(request, tool.name, call_of(record, tool.args) | {"takes": takes})
    return render(request, "started", view=view, is_dry_run=False)


def _list_books(runner: Runner) -> dict[str, Book]:
    """Return the books by their folders, that of the newest job first."""
    jobs: dict[str, list[JobRecord]] = {}
    for job in runner.list(kind=NARRATION, limit=MOST_JOBS):
        if not job.is_collected and not job.params.get("list_words"):
            jobs.setdefault(str(job.params.get("out_dir") or job.job_id), []).append(job)
    return {folder: _make_book(some, runner) for folder, some in jobs.items()}


def _make_book(jobs: list[JobRecord], runner: Runner) -> Book:
    whole = [job for job in jobs if job.state == "succeeded" and (job.result or {}).get("audiobook")]
    ready = next((job for job in whole if isinstance((job.result or {}).get("folder"), str)), None)
    title = (ready.result or {}).get("title") if ready is not None else None
    return Book(make_row(jobs[0], runner), ready, str(title or Path(str(jobs[0].params.get("text"))).stem))


def _find(job_id: str, runner: Runner) -> Book:
    """Return the book that a job has narrated. Raises ``UserError``: ``job_unknown``."""
    record = runner.get(job_id)
    found = _list_books(runner).get(str(record.params.get("out_dir") or job_id))
    if record.kind != NARRATION or found is None:
        raise HTTPException(404, "This job is no narration")
    return found


def _read(request: Request) -> tuple[BookIndex, Path]:
    """Return the index of a book and its folder. Raises ``UserError``: ``book_unreadable``."""
    ready = _find(request.path_params["job_id"], context_of(request).runner).ready
    if ready is None or ready.result is None:
        raise HTTPException(404, "The book is not ready")
    folder = Path(str(ready.result["folder"]))
    return _read_index(folder, read_state(folder / INDEX)), folder


@lru_cache(maxsize=MOST_INDEXES)
def _read_index(folder: Path, state: FileState) -> BookIndex:
    """Return the index of a folder as its file was in this state. Raises ``UserError``: ``book_unreadable``."""
    return read_index(folder)


def _show(request: Request) -> dict[str, Any]:
    job_id = request.path_params["job_id"]
    found = _find(job_id, context_of(request).runner)
    index, _ = _read(request) if found.ready is not None else (None, None)
    number, chapter = request.query_params.get("chapter", ""), None
    if index is not None and index.chapters and request.query_params.get("show") != "doubtful":
        chapter = _chapter(index, int(number)) if number.isdecimal() and len(number) < 7 else index.chapters[0]
    doubtful = (
        [(one, passage) for one in index.chapters for passage in one.passages if passage.reasons] if index else []
    )
    return {"book": found, "job_id": job_id, "index": index, "chapter": chapter, "doubtful": doubtful}


def _chapter(index: BookIndex, number: int) -> IndexedChapter:
    found = next((chapter for chapter in index.chapters if chapter.number == number), None)
    if found is None:
        raise HTTPException(404, "The book has no such chapter")
    return found


def _passages(index: BookIndex) -> dict[str, IndexedPassage]:
    return {passage.key: passage for chapter in index.chapters for passage in chapter.passages}


def _send(folder: Path, name: str, media_type: str) -> Response:
    path = resolve_inside(folder, name) if name else None
    if path is None or not media_type or not path.is_file():
        raise HTTPException(404, "The audio file is missing")
    return FileResponse(path, media_type=media_type)


ROUTES = [
    Route("/books", books),
    Route("/books/{job_id}", book),
    Route("/books/{job_id}/state", state),
    Route("/books/{job_id}/again", again, methods=["POST"]),
    Route("/books/{job_id}/chapters/{number:int}", chapter_sound),
    Route("/books/{job_id}/passages/{key}", passage_sound),
]
