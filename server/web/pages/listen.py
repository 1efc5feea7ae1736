"""Listening: the page of ``./run.sh listen`` for takes that are here, alone or against those of other voices."""

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.corrections.places import PlacedRow
from jobs.dataset.manifest import read_rows
from jobs.dataset.takes import TAKES_NAME
from jobs.errors import UserError
from jobs.rating.bradley_terry import MOST_IN_PAIRS, strengths
from jobs.rating.human_ratings import preferences, read_opinions
from jobs.rating.vote_agreement import compare_opinions, compare_with_ratings
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from server.http.page_server import WithHeaders
from server.listening.app import REVEALING_HEADERS, listening_pages
from server.listening.rating_session import RatingSession
from server.web.calls import context_of, read_fields
from server.web.job_rows import make_row
from server.web.rendering import render
from tools.core.tool_types import ToolContext

MOST_JOBS = 100
MOST_SESSIONS = 16
MOST_VOICES = 10


@dataclass(frozen=True)
class TakesChoice:
    """Takes of a finished job, to be chosen.

    Attributes:
        job_id: of ``synthesize``.
        about: the voice.
        created_at: of the job, in seconds since 1970.
        n_takes: number of the takes.
    """

    job_id: str
    about: str
    created_at: float
    n_takes: int


async def choose(request: Request) -> Response:
    """Show which takes can be heard."""
    found = await to_thread.run_sync(_choices, context_of(request).runner)
    return render(request, "listen", choices=found)


async def begin(request: Request) -> Response:
    """Make a session for the chosen takes, and show where its page is."""
    chosen = (await read_fields(request)).get("takes", [])[:MOST_VOICES]
    if not chosen:
        raise UserError("bad_arguments", "No takes were chosen.", "Choose one to rate, or several to compare.")
    runner = context_of(request).runner
    takes, *others = [await to_thread.run_sync(_takes_of, runner, job_id) for job_id in chosen]
    narrator = await to_thread.run_sync(_narrator_of, context_of(request), chosen[0])
    session = await to_thread.run_sync(partial(RatingSession, takes, others, narrator=narrator))
    sessions: OrderedDict[str, RatingSession] = _sessions(request.app)
    name = secrets.token_urlsafe(9)
    sessions[name] = session
    while len(sessions) > MOST_SESSIONS:
        sessions.popitem(last=False)
    return render(
        request,
        "listen_begun",
        session=name,
        n_pairs=len(session.pairs),
        n_takes=len(session.takes),
        has_narrator=narrator is not None,
    )


async def results(request: Request) -> Response:
    """Show what the votes of a session's takes say."""
    session = _sessions(request.app).get(request.path_params["session"])
    if session is None:
        raise HTTPException(404)
    return render(request, "listen_results", **await to_thread.run_sync(_results, session.folders))


def _results(folders: Sequence[Path]) -> dict[str, Any]:
    """Return what people said of the takes in some folders, and how it fits the automatic rating."""
    said = {folder: read_opinions(folder) for folder in dict.fromkeys(folders)}
    votes = {folder: opinions.votes for folder, opinions in said.items()}
    together = [vote for given in votes.values() for vote in given]
    groups = [list(some) for _, some in groupby(strengths(together), key=lambda one: one.group)]
    return {
        "ranking": [group for group in groups if len(group) > MOST_IN_PAIRS],
        "found": preferences(together),
        "agreement": compare_with_ratings(votes),
        "scored": compare_opinions(said),
        "n_scores": sum(len(opinions.scores) for opinions in said.values()),
    }


async def _pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the pages of a session."""
    session = _sessions(scope["app"]).get(scope["path_params"]["session"])
    if session is None:
        raise HTTPException(404)
    await WithHeaders(listening_pages(session), {}, removed=REVEALING_HEADERS)(scope, receive, send)


def _sessions(app: Starlette) -> OrderedDict[str, RatingSession]:
    if not hasattr(app.state, "sessions"):
        app.state.sessions = OrderedDict()
    found: OrderedDict[str, RatingSession] = app.state.sessions
    return found


def _choices(runner: Runner) -> list[TakesChoice]:
    jobs = runner.list(kind="synthesize", state="succeeded", limit=MOST_JOBS)
    rows = [make_row(job, runner) for job in jobs if not job.is_collected]
    return [TakesChoice(row.record.job_id, row.subject, row.record.created_at, _n_wavs(row.record)) for row in rows]


def _n_wavs(job: JobRecord) -> int:
    wavs = (job.result or {}).get("wavs")
    return len(wavs) if isinstance(wavs, list) else 0


def _takes_of(runner: Runner, job_id: str) -> Path:
    """Return the takes of a job. Raises ``UserError``: ``job_unknown``."""
    result: dict[str, Any] = runner.get(job_id).result or {}
    folder = result.get("folder")
    if not isinstance(folder, str):
        raise HTTPException(404, "This job has made no takes")
    return Path(folder) / TAKES_NAME


def _narrator_of(context: ToolContext, job_id: str) -> Path | None:
    """Return the reference clip of the narrator whose voice has spoken, if it was trained here."""
    model = Path(str(context.runner.get(job_id).params.get("model", ""))).resolve()
    for training in context.runner.list(kind="training", state="succeeded", limit=MOST_JOBS):
        result = training.result or {}
        exported = result.get("exports")
        exports = [one.get("voice") for one in exported if isinstance(one, dict)] if isinstance(exported, list) else []
        if model not in {Path(str(voice)).resolve() for voice in (result.get("voice"), *exports) if voice}:
            continue
        manifest = Path(str(training.params.get("manifest", "")))
        with suppress(UserError):
            row = next(read_rows(manifest, PlacedRow), None)
            name = row.ref_audio or row.audio if row is not None else None
            path = AudioRoots.of(context.settings).find(manifest, manifest.parent, name) if name else None
            return path if path is not None and path.is_file() else None
    return None


ROUTES = [
    Route("/listen", choose),
    Route("/listen", begin, methods=["POST"]),
    Route("/listen/{session}/results", results),
    Mount("/listen/{session}", app=_pages),
]
