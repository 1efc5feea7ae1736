"""The tool ``synthesize``."""

from __future__ import annotations

from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.synthesize.params import Params
from jobs.synthesize.spec import KIND
from tools.core.job_view import JobView
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext

HINTS = Hints(title="Speak texts with a voice")
MOST_TRAININGS = 50  # looked through for the one that made a voice


def NEXT(record: JobRecord, runner: Runner) -> str:
    """Rate the takes beside the clips that the voice was trained on."""
    trainings = runner.list(kind="training", state="succeeded", limit=MOST_TRAININGS)
    model = record.params.get("model")
    manifest = next((job.params["manifest"] for job in trainings if (job.result or {}).get("voice") == model), "")
    narrator = f'narrator_manifest="{manifest}"' if manifest else "narrator_manifest=(the dataset of the voice)"
    return 'Tell the person where the wavs are ({folder}), and call rate_samples takes="{takes}" ' + narrator


class SynthesizeArgs(StartArgs, Params):
    """Arguments of ``synthesize``."""


async def synthesize(args: SynthesizeArgs, context: ToolContext) -> JobView:
    """Speak texts with a voice from start_training, or clone ref_audio with a base model.

    Use it with sentences that were not trained on. GPU if there is one, seconds a sentence. A job; its result names
    wavs and takes.jsonl. Next: rate_samples.
    """
    return await start(KIND, args, context)
