"""Plan of a refinement for a dry run: the training of a round, and the search before the rounds."""

from typing import Any

from jobs.cost import plan_repeated
from jobs.rate_samples.spec import KIND as RATE
from jobs.refine_voice.params import MANY_EPOCHS, Params, search_of
from jobs.settings import Settings
from jobs.synthesize.spec import KIND as SYNTHESIZE
from jobs.training.params import TOY_LR
from jobs.training.params import Params as Training
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.spec import KIND as TUNE


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Plan the first round on this machine, or for the GPU that the call names.

    Raises:
        UserError: ``memory_too_small``: a round does not fit the GPU that the call names.
    """
    a_round = TRAINING.make_plan(build_round_training(params, settings), settings)
    n = params.max_iterations
    planned: dict[str, Any] = {
        "rounds": f"at most {n}; each trains, speaks and rates",
        "a_round": a_round,
        **plan_repeated(a_round, n, more_s=_speak_and_rate_s(params), n_on_disk=n),
    }
    if params.run_hyperparameter_search:
        search = search_of(params)
        suggested = TUNE.make_suggestions(search, search.model_fields_set, settings)
        planned["search"] = TUNE.make_plan(search.model_copy(update=suggested), settings)
        if "about_min" in (searching := planned["search"].get("time", {})) and "about_min" in planned.get("time", {}):
            planned["time"]["about_min"] = round(planned["time"]["about_min"] + searching["about_min"], 1)
    return planned


def _speak_and_rate_s(params: Params) -> float:
    """Return the seconds of a round beside its training, by the rules of thumb of both kinds."""
    texts = list(params.texts) * params.takes_per_text
    if (speaks := SYNTHESIZE.cost) is None or (rates := RATE.cost) is None:
        return 0.0
    rated = (len(texts) + params.anchor_clips) * rates.s_each if params.rating == "automatic" else 0.0
    return speaks.s_fixed + speaks.measure({"texts": texts}) * speaks.s_each + rates.s_fixed + rated


def build_round_training(
    params: Params,
    settings: Settings,
    *,
    iteration: int = 1,
    base_model: str = "",
    out_dir: str = "",
    length_factor: float = 1.0,
    freeze: str | None = None,
    hyperparams: str | None = None,
) -> Training:
    """Build the training of a round, with what start_training would choose for this machine or the named GPU.

    Args:
        base_model: a model or the voice of an earlier round; empty: that of the call.
        hyperparams: ``best_config.json``; None: that of the call.
    """
    given: dict[str, Any] = {
        "keep_last_state": False,  # a round is trained further from its voice
        **params.training,
        "manifest": params.manifest,
        "base_model": base_model or params.base_model,
        "out_dir": out_dir,
        "samples": 0,
        "seed": params.seed + iteration,
    }
    if params.steps_per_iteration is None:
        given["epochs"] = round(params.epochs_per_iteration * length_factor)
    else:
        given |= {"epochs": MANY_EPOCHS, "max_steps": round(params.steps_per_iteration * length_factor)}
    if hyperparams or params.hyperparams:
        given["hyperparams"] = hyperparams or params.hyperparams
    if freeze:
        given["freeze"] = freeze
    if params.base_model == "toy" and not given.get("hyperparams"):  # of which the later rounds' voices are, too
        given.setdefault("lr", TOY_LR[given.get("method", "full")])
    asked = Training.model_validate({**given, "gpu_memory_gb": params.gpu_memory_gb})
    return asked.model_copy(update=TRAINING.make_suggestions(asked, set(given), settings))
