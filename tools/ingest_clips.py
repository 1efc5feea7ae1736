"""The tool ``ingest_clips``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jobs.ingest_clips.params import Params
from jobs.ingest_clips.spec import KIND
from jobs.settings import Settings
from tools.core.job_view import JobView
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext

HINTS = Hints(title="Ingest curated clips")
NEXT = 'Call align manifest="{manifest}".'


class IngestClipsArgs(StartArgs, Params):
    """Arguments of ``ingest_clips``."""


async def ingest_clips(args: IngestClipsArgs, context: ToolContext) -> JobView:
    """Make a dataset of clips that are cut and transcribed already.

    In place of ingest_audiobook. CPU, minutes. A job; its result names train_manifest.jsonl. Next: align.
    """
    return await start(KIND, args, context, _defaults)


def _defaults(params: Params, settings: Settings) -> Mapping[str, Path]:
    return {"out_dir": settings.home / "datasets" / params.voice}
