"""Preparation of a search before its job exists: its space, its first points, and the plan of a dry run."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from jobs.cost import plan_repeated
from jobs.dataset.split import MIN_CLIPS_TO_SPLIT
from jobs.errors import UserError
from jobs.param_types import Value
from jobs.qwen.model_files import is_of_toy
from jobs.settings import Settings
from jobs.training.params import DEFAULT_LR, TOY_LR
from jobs.training.params import Params as Training
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.objective import METRICS, RULE
from jobs.tune_hparams.params import SOURCE, Params, ToolArguments, build_trial_training, prunes
from jobs.tune_hparams.search_space import PLACES, RESERVED, Range, preset_space
from jobs.web_research_hparams.knowledge import Method, ModelSize, load_knowledge
from jobs.web_research_hparams.recommend import RecommendationRequest, recommend

SEEDED_SHARE = 4  # of the trials at most a quarter are seeded, to keep the search exploring


def suggest(params: Params, given: Collection[str], settings: Settings) -> dict[str, Any]:
    """Choose the space by the method, and what start_training would choose for this machine's GPU."""
    fixed = dict(params.training)
    space = params.space
    ranges, of_space = preset_space(space, params.trial_steps) if space is not None else ([], {})
    fixed = of_space | fixed
    call: dict[str, Any] = {
        "manifest": params.manifest,
        "base_model": params.base_model,
        "gpu_memory_gb": params.gpu_memory_gb,
        **fixed,
    }
    chosen = TRAINING.make_suggestions(Training.model_construct(**call), set(fixed), settings)
    fixed |= {name: value for name, value in chosen.items() if name not in RESERVED | PLACES}
    if space is None:
        space = "lora" if fixed.get("method") == "lora" else "full"
        ranges, of_space = preset_space(space, params.trial_steps)
        fixed = of_space | fixed
    ranges = list(params.ranges) or [found for found in ranges if found.name not in params.training]
    if not params.ranges and is_of_toy(params.base_model):
        ranges = [_for_the_toy(found, "lora" if fixed.get("method") == "lora" else "full") for found in ranges]
    searched = {found.name for found in ranges}
    return {"space": space, "ranges": ranges, "training": {k: v for k, v in fixed.items() if k not in searched}}


def _for_the_toy(found: Range, method: Literal["full", "lora"]) -> Range:
    """Return a range of learning rates as far above that of trained weights as the toy's default is."""
    if found.name != "lr":
        return found
    low, high = (end * TOY_LR[method] / DEFAULT_LR[method] for end in found.bounds)
    return found.model_copy(update={"low": low, "high": high})


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Estimate what one trial takes, at the upper ends of the ranges if it fits; there are ``n_trials`` of them.

    Raises:
        UserError: ``memory_too_small``: no trial fits the GPU that the call names.
    """
    planned = {"trials": params.n_trials, "optimises": METRICS[params.objective], "prunes": prunes(params)}
    if params.objective != "loss":
        planned["speaking"] = "after its training each trial speaks and is rated: add minutes a trial"
    if params.objective == "both":
        planned["best"] = RULE
    try:
        trial = _plan_trial(params, settings, -1)
    except UserError as error:
        if error.code != "memory_too_small":
            raise
        # a search passes over points that are too large
        trial = _plan_trial(params, settings, 0)
        planned["largest_trial"] = f"{error.message} {error.hint}"
    check_held_out(trial.get("data", {}), params.manifest)
    n_on_disk = params.parallel + 1 if not params.keep_voices else params.n_trials  # the best, and those that run
    return {**planned, "a_trial": trial} | plan_repeated(
        trial, math.ceil(params.n_trials / params.parallel), n_on_disk=min(n_on_disk, params.n_trials)
    )


def check_held_out(data: Mapping[str, Any], manifest: str) -> None:
    """Check that clips are held out, on which a search compares losses.

    Raises:
        UserError: ``nothing_held_out``.
    """
    if data.get("held_out"):
        return
    is_small = max(data.get("speakers", {}).values(), default=0) < MIN_CLIPS_TO_SPLIT
    reason = f" and no speaker has {MIN_CLIPS_TO_SPLIT} clips" if is_small else ""
    raise UserError(
        "nothing_held_out",
        f"{manifest} holds out no clip{reason}, so trials cannot be compared.",
        f'Mark some of its lines with split "validation"; or give {MIN_CLIPS_TO_SPLIT} clips or more of a speaker '
        "and a training.validation_share above 0.",
    )


def _plan_trial(params: Params, settings: Settings, end: int) -> dict[str, Any]:
    """Plan a trial at one end of all ranges."""
    values = {found.name: found.ends[end] for found in params.ranges}
    training = build_trial_training(params, values, str(Path(params.out_dir) / "trial_0") if params.out_dir else "")
    return TRAINING.make_plan(training.model_copy(update={"gpu_memory_gb": params.gpu_memory_gb}), settings)


def complete(args: Params, settings: Settings) -> dict[str, Any]:
    """Add the points that the knowledge base recommends as the first trials, unless the caller gave some."""
    is_wanted = args.use_web_research if isinstance(args, ToolArguments) else True
    return {"first": first_points(args, settings)} if is_wanted and not args.first else {}


def first_points(search: Params, settings: Settings) -> list[dict[str, Value]]:
    """Return the starting points of the knowledge base that lie in a search's space, each with its source."""
    suggested = suggest(search, search.model_fields_set, settings)
    method: Method = "lora" if suggested["training"].get("method") == "lora" else "full"
    size: ModelSize = "1.7b" if "1.7b" in search.base_model.lower() else "0.6b"
    found = recommend(RecommendationRequest(size=size, method=method, trial_steps=search.trial_steps), load_knowledge())
    ranges = {one.name: one for one in suggested["ranges"]}
    sources = {fact.id: fact.source for fact in load_knowledge()}
    points: dict[str, dict[str, Value]] = {}
    for asked, because in zip(found.starting_points, found.points_because, strict=True):
        point = {name: value for name, value in asked.items() if name in ranges and ranges[name].holds(value)}
        cited = "; ".join(dict.fromkeys(sources[fact] for fact in because if fact in sources))
        if "lr" in point:
            points.setdefault(str(sorted(point.items())), {**point, SOURCE: cited or "our judgement"})
    return list(points.values())[: max(1, search.n_trials // SEEDED_SHARE)]
