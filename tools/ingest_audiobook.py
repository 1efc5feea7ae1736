"""The tool ``ingest_audiobook``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jobs.ingest_audiobook.spec import KIND, Params
from jobs.settings import Settings
from tools._contract import Hints, StartArgs, ToolContext
from tools._start import start
from tools._view import JobView

HINTS = Hints(title="Ingest an audiobook")
NEXT = 'Look into rejections.jsonl, then call align manifest="{manifest}".'


class IngestAudiobookArgs(StartArgs, Params):
    """Arguments of ``ingest_audiobook``."""


async def ingest_audiobook(args: IngestAudiobookArgs, context: ToolContext) -> JobView:
    """Cut an audiobook into clips with their text: the first step from a recording to a voice.

    Give the book's text when there is one: it is matched to the audio (offline, English). Without it Whisper
    transcribes. CPU, minutes to hours with the length. Starts a job and answers at once. The result names
    train_manifest.jsonl and what was rejected and why. For clips that are cut already use ingest_clips. Next: align.
    """
    return await start(KIND, args, context, _defaults)


def _defaults(params: Params, settings: Settings) -> Mapping[str, Path]:
    return {"out_dir": settings.home / "datasets" / params.voice}
