"""The tool ``start_training``."""

from __future__ import annotations

from jobs.training.params import Params
from jobs.training.spec import KIND
from tools.core.job_view import JobView
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext

HINTS = Hints(title="Train a Qwen3-TTS voice")
NEXT = (
    'Call synthesize model="{voice}" speaker="{speaker}" texts=["The evening train was late, so we walked home."] '
    "(any sentences that were not trained on)."
)


class StartTrainingArgs(StartArgs, Params):
    """Arguments of ``start_training``."""


async def start_training(args: StartTrainingArgs, context: ToolContext) -> JobView:
    """Train a voice on a coded manifest: every weight, or LoRA adapters merged in the export.

    COST: GPU, minutes to hours, a download of 2.5 (0.6B) or 4.5 GB (1.7B) the first time; ask the person first,
    after a dry_run. base_model=toy needs neither. A job; the same call continues it. Result: the voice, report.
    Next: synthesize.
    """
    return await start(KIND, args, context)
