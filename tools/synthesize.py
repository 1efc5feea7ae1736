"""The tool ``synthesize``."""

from __future__ import annotations

from jobs.synthesize.spec import KIND, Params
from tools._contract import Hints, StartArgs, ToolContext
from tools._start import start
from tools._view import JobView

HINTS = Hints(title="Speak texts with a voice")
NEXT = 'Tell the person where the wavs are, and call rate_samples takes="{takes}" with the narrator\'s manifest.'


class SynthesizeArgs(StartArgs, Params):
    """Arguments of ``synthesize``."""


async def synthesize(args: SynthesizeArgs, context: ToolContext) -> JobView:
    """Speak texts with a voice from start_training, or clone ref_audio with a base model.

    Use it with sentences that were not trained on. GPU if there is one, seconds a sentence. A job; its result names
    wavs and takes.jsonl. Next: rate_samples.
    """
    return await start(KIND, args, context)
