"""The tool ``start_training``."""

from __future__ import annotations

from jobs.training.spec import KIND, Params
from tools._contract import Hints, StartArgs, ToolContext
from tools._start import start
from tools._view import JobView

HINTS = Hints(title="Train a Qwen3-TTS voice")
NEXT = 'Call synthesize model="{voice}" speaker="{speaker}" with texts that were not trained on.'


class StartTrainingArgs(StartArgs, Params):
    """Arguments of ``start_training``."""


async def start_training(args: StartTrainingArgs, context: ToolContext) -> JobView:
    """Train a voice on a coded manifest: fully, or LoRA adapters that are merged in the export.

    COST: GPU, minutes to hours; the base model is downloaded the first time (2.5 GB for 0.6B, 4.5 GB for 1.7B); ask the
    person first. base_model=toy needs neither. Starts a job and answers at once; it survives this chat, and a new call
    continues after an interruption. The result names the voice, the plot and the TensorBoard log. Next: synthesize.
    """
    return await start(KIND, args, context)
