"""What a search of settings tries first: the starting points of the knowledge base, each with its source."""

from __future__ import annotations

from jobs.param_types import Value
from jobs.settings import Settings
from jobs.tune_hparams.params import SOURCE, Params
from jobs.tune_hparams.spec import KIND
from jobs.web_research_hparams.knowledge import Method, ModelSize, knowledge
from jobs.web_research_hparams.recommend import Request, recommend

SHARE_OF_FIRST = 4  # of the trials at most a quarter are others' points: the search shall search


def first_points(search: Params, settings: Settings) -> list[dict[str, Value]]:
    """Points of a search, as far as they lie in its space.

    Args:
        search: its parameters, as the caller gave them.
        settings: of the machine that its space depends on.
    """
    assert KIND.suggest is not None
    suggested = KIND.suggest(search, search.model_fields_set, settings)
    method: Method = "lora" if suggested["training"].get("method") == "lora" else "full"
    size: ModelSize = "1.7b" if "1.7b" in search.base_model.lower() else "0.6b"
    found = recommend(Request(size=size, method=method, trial_steps=search.trial_steps), knowledge())
    ranges = {one.name: one for one in suggested["ranges"]}
    sources = {fact.id: fact.source for fact in knowledge()}
    points: dict[str, dict[str, Value]] = {}
    for asked, because in zip(found.starting_points, found.points_because, strict=True):
        point = {name: value for name, value in asked.items() if name in ranges and ranges[name].holds(value)}
        told = "; ".join(dict.fromkeys(sources[fact] for fact in because if fact in sources))
        if "lr" in point:
            points.setdefault(str(sorted(point.items())), {**point, SOURCE: told or "our judgement"})
    return list(points.values())[: max(1, search.n_trials // SHARE_OF_FIRST)]
