"""The tool ``tune_hparams``."""

from __future__ import annotations

from pydantic import Field

from jobs.fields import RARE, Value
from jobs.tune_hparams.spec import KIND, SOURCE, Params
from jobs.web_research_hparams.knowledge import Method, ModelSize, knowledge
from jobs.web_research_hparams.recommend import Request, recommend
from tools._contract import Hints, StartArgs, ToolContext
from tools._start import start
from tools._view import JobView

HINTS = Hints(title="Search training settings")
NEXT = 'Call start_training manifest="{manifest}" hyperparams="{best_config}"; then synthesize and rate_samples.'
SHARE_OF_FIRST = 4  # of the trials at most a quarter are others' points: the search shall search


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
        args = args.model_copy(update={"first": _recommended(args, context)})
    return await start(KIND, args, context)


def _recommended(args: TuneHparamsArgs, context: ToolContext) -> list[dict[str, Value]]:
    """Starting points of the knowledge base with their sources, as far as they lie in the search space."""
    assert KIND.suggest is not None
    suggested = KIND.suggest(args, args.model_fields_set, context.settings)
    method: Method = "lora" if suggested["training"].get("method") == "lora" else "full"
    size: ModelSize = "1.7b" if "1.7b" in args.base_model.lower() else "0.6b"
    found = recommend(Request(size=size, method=method, trial_steps=args.trial_steps), knowledge())
    ranges = {one.name: one for one in suggested["ranges"]}
    sources = {fact.id: fact.source for fact in knowledge()}
    points: dict[str, dict[str, Value]] = {}
    for asked, because in zip(found.starting_points, found.points_because, strict=True):
        point = {name: value for name, value in asked.items() if name in ranges and ranges[name].holds(value)}
        told = "; ".join(dict.fromkeys(sources[fact] for fact in because if fact in sources))
        if "lr" in point:
            points.setdefault(str(sorted(point.items())), {**point, SOURCE: told or "our judgement"})
    return list(points.values())[: max(1, args.n_trials // SHARE_OF_FIRST)]
