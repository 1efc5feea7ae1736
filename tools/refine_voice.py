"""The tool ``refine_voice``."""

from __future__ import annotations

from jobs.refine_voice.params import Params, search_of
from jobs.refine_voice.spec import KIND
from tools.core.job_view import JobView
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext
from tools.research.tuning_seeds import first_points

HINTS = Hints(title="Train, listen, continue")
NEXT = 'Tell the person the verdict and let them listen ({report}); speak with synthesize model="{voice}".'


class RefineVoiceArgs(StartArgs, Params):
    """Arguments of ``refine_voice``."""


async def refine_voice(args: RefineVoiceArgs, context: ToolContext) -> JobView:
    """Train in rounds: after each, speak, rate, then stop, go on, or go back and change what the measures call for.

    Use it for the best voice that the data allow. COST: GPU, max_iterations trainings; ask the person first. The best
    round becomes final_model. rating=person waits in every round for rate_samples scores. A job. Next: synthesize.
    """
    if args.run_hyperparameter_search and not args.hp_first:
        args = args.model_copy(update={"hp_first": first_points(search_of(args), context.settings)})
    return await start(KIND, args, context)
