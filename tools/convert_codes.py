"""The tool ``convert_codes``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jobs.convert_codes.params import Params
from jobs.convert_codes.spec import KIND
from jobs.settings import Settings
from tools.core.job_view import JobView
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext

HINTS = Hints(title="Convert clips to audio codes")
NEXT = 'Call start_training manifest="{manifest}" dry_run=true; web_research_hparams gives settings to start from.'


class ConvertCodesArgs(StartArgs, Params):
    """Arguments of ``convert_codes``."""


async def convert_codes(args: ConvertCodesArgs, context: ToolContext) -> JobView:
    """Turn clips into the codes that Qwen3-TTS learns: 12.5 frames a second, 16 books.

    Use it after align. GPU if there is one, minutes; a download of 0.7 GB the first time. A job; its result names
    train_manifest_qwen3.jsonl. Next: start_training.
    """
    return await start(KIND, args, context, _defaults)


def _defaults(params: Params, settings: Settings) -> Mapping[str, Path]:
    return {"out": Path(params.manifest).parent / "train_manifest_qwen3.jsonl"}
