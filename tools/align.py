"""The tool ``align``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jobs.align.params import Params
from jobs.align.spec import KIND
from jobs.settings import Settings
from tools.core.job_view import JobView
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext

HINTS = Hints(title="Align clips with their words")
NEXT = 'Call convert_codes manifest="{manifest}".'


class AlignArgs(StartArgs, Params):
    """Arguments of ``align``."""


async def align(args: AlignArgs, context: ToolContext) -> JobView:
    """Time and score every word of every clip; reject clips whose text is not what is spoken.

    Use it after an ingest. GPU with WhisperX's model, else CPU (pocketsphinx, English); minutes. A job; its result
    names train_aligned.jsonl. Next: convert_codes.
    """
    return await start(KIND, args, context, _defaults)


def _defaults(params: Params, settings: Settings) -> Mapping[str, Path]:
    return {"out": Path(params.manifest).parent / "train_aligned.jsonl"}
