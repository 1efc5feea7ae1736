"""Parameters and result of ``tune_hparams``: the best settings of a search."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from jobs.errors import UserError
from jobs.param_types import ArgumentsMark, CodedManifest, ModelRef, OutputPath, Strict, Value, rare
from jobs.qwen.model_info import check_instruct
from jobs.synthesize.params import Instruct, SpokenText
from jobs.training.params import CARD_MEMORY, DEFAULT_BASE
from jobs.training.params import Params as Training
from jobs.training.params import check as check_training
from jobs.tune_hparams.objective import Objective
from jobs.tune_hparams.search_space import Preset, Range, check_space

LONG = 1000  # epochs: max_steps ends a trial
SOURCE = "source"  # key of a point's origin; no argument of a training


class Params(Strict):
    """Parameters of ``tune_hparams``."""

    manifest: CodedManifest = Field(description="As of start_training.")
    base_model: ModelRef = Field(DEFAULT_BASE, description="As in start_training.")
    out_dir: OutputPath = rare("", description="Default: the job's own folder.")
    best_config: OutputPath = rare("", description="A second place for best_config.json.")
    n_trials: int = Field(12, ge=1, le=500, description="Total, with those of an earlier search in out_dir.")
    trial_steps: int = Field(300, ge=2, le=100_000, description="Optimiser steps of a trial.")
    parallel: int = rare(1, ge=1, le=64, description="Trials at once, where there are as many GPUs.")
    space: Preset | None = Field(None, description="Preset of the search space. Default: by method.")
    ranges: list[Range] = rare(default_factory=list, description="Search these instead.")
    training: Annotated[dict[str, Value], ArgumentsMark(Training)] = Field(
        default_factory=dict, description="start_training's arguments for all trials."
    )
    gpu_memory_gb: float | None = CARD_MEMORY
    first: list[dict[str, Value]] = rare(
        default_factory=list, description="Points to try first; source: the origin of a point."
    )
    objective: Objective = Field("loss", description="audio: trials speak and are rated.")
    instruct: Instruct | None = rare(None, description="How the texts are spoken, as in synthesize.")
    texts: list[SpokenText] = rare(
        default_factory=list,
        max_length=50,
        description="Texts for each trial. Default: up to 6 held-out sentences, and fixed ones where there are few.",
    )
    takes_per_text: int = rare(1, ge=1, le=20, description="Takes of each text.")
    sampler: Literal["tpe", "gp", "random"] = rare("tpe", description="Bayesian: tpe or gp.")
    pruning: bool = rare(True, description="Stop a trial that is worse half-way than the median of the others.")
    keep_voices: bool = rare(False, description="Keep every trial's voice, not only the best one's.")
    seed: int = rare(0, ge=0)


class ToolArguments(Strict):
    """Arguments of the tool that are no parameters of the job."""

    use_web_research: bool = rare(True, description="Try web_research_hparams' recommendation first.")


class Result(Strict):
    """Result of ``tune_hparams``."""

    best_config: str = Field(description="Settings for start_training hyperparams.")
    hyperparameters: dict[str, Value]
    validation_loss: float
    audio_score: float | None = Field(None, description="Of the best trial, 0 to 1, where the objective has it.")
    best_trial: int
    front: list[int] = Field(default_factory=list, description="objective=both: trials on the Pareto front.")
    first_trial_loss: float | None = Field(None, description="Of the recommended point, tried first.")
    trials: dict[str, int] = Field(description="By how they ended.")
    manifest: str
    voice: str | None = Field(None, description="The best trial's: a short training, to listen to.")
    study: str = Field(description="optuna-dashboard opens it.")
    report: str
    plot: str
    summary: list[str]


def search_folder(params: Params, job_folder: Path) -> Path:
    """Return the output folder of a search."""
    return Path(params.out_dir) if params.out_dir else job_folder / "out" / "hyperparameter_search"


def study_path(params: Params, job_folder: Path) -> Path:
    """Return the path of a search's Optuna study."""
    return search_folder(params, job_folder) / "optuna_study.db"


def build_trial_training(params: Params, values: dict[str, Value], out_dir: str = "") -> Training:
    """Build the training of a trial's point; the search has its ranges filled in."""
    given: dict[str, Any] = {
        **params.training,
        **values,
        "manifest": params.manifest,
        "base_model": params.base_model,
        "out_dir": out_dir,
        "max_steps": params.trial_steps,
        "epochs": LONG,
        "validate_every_steps": max(1, params.trial_steps // 6),
        "early_stop": 0,  # trials are compared at the same step; pruning ends the bad ones
        "keep_last_state": False,
        "samples": 0,
        "save_every_steps": max(50, params.trial_steps // 4),
    }
    return Training.model_validate(given)


def point_values(point: dict[str, Value]) -> dict[str, Value]:
    """Return a point without its source."""
    return {name: value for name, value in point.items() if name != SOURCE}


def check(params: Params) -> None:
    """Check the search space, the first points, and the training that all trials share."""
    check_space(params.ranges, params.training, {"manifest": params.manifest})
    names = {found.name: found for found in params.ranges}
    for point in params.first:
        outside = [
            name for name, value in point_values(point).items() if name not in names or not names[name].holds(value)
        ]
        if outside:
            raise UserError(
                "point_outside",
                f"first: {', '.join(f'{name}={point[name]}' for name in outside)} is not in the search space.",
                "Give points of the space, or widen it with ranges.",
            )
    check_training(
        Training.model_validate({**params.training, "manifest": params.manifest, "base_model": params.base_model})
    )
    check_instruct(params.base_model, params.instruct)


def prunes(params: Params) -> str:
    """Describe the rule by which trials are stopped early."""
    if params.objective == "both":
        return "no: Optuna prunes no trial of two objectives"
    return "trials whose validation loss is worse half-way than the median of the others" if params.pruning else "no"
