"""The tool ``ingest_audiobook``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.spec import KIND
from jobs.settings import Settings
from tools.core.job_view import JobView
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext

HINTS = Hints(title="Ingest an audiobook")
NEXT = 'Look into rejections.jsonl, then call align manifest="{manifest}".'


class IngestAudiobookArgs(StartArgs, Params):
    """Arguments of ``ingest_audiobook``."""


async def ingest_audiobook(args: IngestAudiobookArgs, context: ToolContext) -> JobView:
    """Cut an audiobook into clips with text: the first step to a voice.

    The book's text is matched offline (English), else Whisper transcribes. CPU, minutes to hours. A job; it
    names train_manifest.jsonl and what was rejected. Clips cut already: ingest_clips. Next: align.
    """
    return await start(KIND, args, context, _defaults)


def _defaults(params: Params, settings: Settings) -> Mapping[str, Path]:
    return {"out_dir": settings.home / "datasets" / params.voice}
