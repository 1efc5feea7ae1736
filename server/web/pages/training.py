"""A training's part of its job's page: samples beside the narrator, and the voice of a run that was stopped."""

from itertools import groupby
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from jobs.errors import UserError
from jobs.files.reading import resolve_inside
from jobs.runner.models import JobRecord
from jobs.runner.paths import Home
from jobs.settings import Settings
from jobs.training.extension import kept_step
from jobs.training.sample_list import ListedSample, describe_source, read_samples, source_order
from server.web.calls import call_tool, context_of
from server.web.rendering import render
from tools.core.call_text import call_of
from tools.core.registry import find_kind_tool

TRAINING = "training"


def folder_of(record: JobRecord, settings: Settings) -> Path:
    """Return the folder that a training writes into."""
    given = record.params.get("out_dir")
    return Path(str(given)) if given else Home(settings.home).out(record.job_id)


def list_samples(folder: Path) -> list[ListedSample]:
    """Return the samples that are there: by sentence, and of each in the order of the sources."""
    found = list(read_samples(folder))
    texts = list(dict.fromkeys(sample.text for sample in found))
    return sorted(found, key=lambda sample: (texts.index(sample.text), source_order(sample.source)))


def show_training(record: JobRecord, settings: Settings) -> dict[str, Any]:
    """Return what the template shows of a training: its samples, and the step at which it was stopped."""
    folder = folder_of(record, settings)
    try:
        found = list_samples(folder)
    except (OSError, UserError):  # it lies where others may write
        found = []
    numbered = [(number, describe_source(sample.source), sample) for number, sample in enumerate(found)]
    by_text = [(text, list(some)) for text, some in groupby(numbered, key=lambda one: one[2].text)]
    stopped_at = kept_step(folder) if record.state == "cancelled" else None
    return {"job_id": record.job_id, "n_samples": len(found), "sentences": by_text, "stopped_at": stopped_at}


async def samples(request: Request) -> Response:
    """Show the samples when there are more than the page has."""
    shown = await to_thread.run_sync(_show, request)
    if request.query_params.get("seen") == str(shown["n_samples"]):
        return Response(status_code=204)
    return render(request, "samples", training=shown)


async def sample(request: Request) -> Response:
    """Send the sound of a sample."""
    path = await to_thread.run_sync(_path_of, request)
    return FileResponse(path, media_type="audio/wav")


async def make_voice(request: Request) -> Response:
    """Start the job that makes the voice of a training that was stopped: an extension of it by no step."""
    record = await to_thread.run_sync(_training, request)
    folder = folder_of(record, context_of(request).settings)
    step = await to_thread.run_sync(kept_step, folder)
    tool = find_kind_tool(TRAINING)
    if record.state != "cancelled" or step is None or tool is None:
        raise UserError("nothing_to_extend", "This training has no state to make a voice of.", "Start it again.")
    wanted = call_of(record, tool.args) | {"max_steps": step, "extend": record.job_id}
    view = await call_tool(request, tool.name, wanted)
    return render(request, "started", view=view, is_dry_run=False)


def _training(request: Request) -> JobRecord:
    record = context_of(request).runner.get(request.path_params["job_id"])
    if record.kind != TRAINING:
        raise HTTPException(404, "This job is no training")
    return record


def _show(request: Request) -> dict[str, Any]:
    return show_training(_training(request), context_of(request).settings)


def _path_of(request: Request) -> Path:
    folder = folder_of(_training(request), context_of(request).settings)
    found, number = list_samples(folder), request.path_params["number"]
    name = found[number].audio if number < len(found) else None
    path = resolve_inside(folder, name) if name is not None else None
    if path is None or path.suffix != ".wav" or not path.is_file():
        raise HTTPException(404, "There is no such sample")
    return path


ROUTES = [
    Route("/jobs/{job_id}/samples", samples),
    Route("/jobs/{job_id}/samples/{number:int}", sample),
    Route("/jobs/{job_id}/voice", make_voice, methods=["POST"]),
]
