"""Voices: their cards, and a box to type a sentence and hear it."""

from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jobs.dataset.takes import find_takes_file
from jobs.qwen.model_files import read_card
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from server.web.calls import call_tool, context_of, find_named, read_form
from server.web.rendering import render
from tools.inputs.references import list_all_voices

MOST_JOBS = 200
SHOWN = ("speakers", "language", "base_model", "method", "steps", "dataset", "narrator", "rights", "consent", "made_by")


async def voices(request: Request) -> Response:
    """Show the list of voices."""
    context = context_of(request)
    found = await to_thread.run_sync(list_all_voices, context.settings, context.runner)
    return render(request, "voices", voices=found)


async def voice(request: Request) -> Response:
    """Show one voice."""
    folder = await find_named(request, "voice")
    card = await to_thread.run_sync(_card, folder)
    ratings = await to_thread.run_sync(_ratings, folder, context_of(request).runner)
    name = request.path_params["name"]
    here = f"{request.scope['root_path']}{request.app.url_path_for('voice', name=name)}"
    return render(request, "voice", name=name, folder=folder, card=card, ratings=ratings, here=here)


async def say(request: Request) -> Response:
    """Start the job that speaks a text, and show it."""
    folder = await find_named(request, "voice")
    form = await read_form(request)
    texts = [line for line in form.get("text", "").splitlines() if line.strip()]
    view = await call_tool(request, "synthesize", {"model": str(folder), "texts": texts})
    return render(request, "spoken", **await _spoken(request, view.job_id))


async def spoken(request: Request) -> Response:
    """Show the takes of a job that speaks, or how far it is."""
    return render(request, "spoken", **await _spoken(request, request.path_params["job_id"]))


async def _spoken(request: Request, job_id: str) -> dict[str, Any]:
    view = await call_tool(request, "get_job", {"job_id": job_id, "detail": True})
    return {"view": view, "wavs": [one for one in view.artifacts if one.name.endswith(".wav")]}


def _ratings(folder: Path, runner: Runner) -> list[JobRecord]:
    """Return the jobs that have rated takes of a voice, newest first; takes are known by the job that has made them."""
    spoken = {
        str((job.result or {}).get("takes"))
        for job in runner.list(kind="synthesize", state="succeeded", limit=MOST_JOBS)
        if Path(str(job.params.get("model", ""))).resolve() == folder.resolve()
    }
    rated = runner.list(kind="rate_samples", state="succeeded", limit=MOST_JOBS)
    return [job for job in rated if job.result and str(find_takes_file(Path(str(job.params.get("takes"))))) in spoken]


def _card(folder: Path) -> dict[str, Any]:
    card = read_card(folder) or {}
    return {name: card[name] for name in SHOWN if name in card}


ROUTES = [
    Route("/voices", voices),
    Route("/voices/{name}", voice, name="voice"),
    Route("/voices/{name}/say", say, methods=["POST"]),
    Route("/spoken/{job_id}", spoken),
]
