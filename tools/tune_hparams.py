"""The tool ``tune_hparams``."""

from __future__ import annotations

from pydantic import Field

from jobs.param_types import RARE
from jobs.tune_hparams.params import Params
from jobs.tune_hparams.spec import KIND
from tools.core.job_view import JobView
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext
from tools.research.tuning_seeds import first_points

HINTS = Hints(title="Search training settings")
NEXT = 'Call start_training manifest="{manifest}" hyperparams="{best_config}"; then synthesize and rate_samples.'


class TuneHparamsArgs(StartArgs, Params):
    """Arguments of ``tune_hparams``."""

    use_web_research: bool = Field(
        True, description="Try web_research_hparams' recommendation first.", json_schema_extra=RARE
    )


async def tune_hparams(args: TuneHparamsArgs, context: ToolContext) -> JobView:
    """Search learning rate, batch, LoRA shape by short trainings, compared on held-out clips (Optuna).

    Use it when asked, or when a first voice disappoints. COST: GPU, n_trials short trainings, hours; ask the person
    first. A job; called again it goes on. Next: start_training hyperparams=best_config.
    """
    if args.use_web_research and not args.first:
        args = args.model_copy(update={"first": first_points(args, context.settings)})
    return await start(KIND, args, context)
