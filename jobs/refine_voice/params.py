"""Parameters and result of ``refine_voice``: the best voice of several rounds of training."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError

from jobs.errors import UserError
from jobs.param_types import (
    ArgumentsMark,
    CodedManifest,
    ConfigPath,
    ModelRef,
    OutputPath,
    Strict,
    Value,
    first_fault,
    rare,
)
from jobs.qwen.model_info import check_instruct
from jobs.settings import Settings
from jobs.synthesize.params import EVALUATION_TEXTS, Instruct, SpokenText
from jobs.training.params import CARD_MEMORY, DEFAULT_BASE
from jobs.training.params import Params as Training
from jobs.training.params import check as check_training
from jobs.tune_hparams.params import Params as Tune
from jobs.tune_hparams.spec import KIND as TUNE

AUTOMATIC_CAP = 4.5  # of the automatic rating: only a person may give more
# Arguments of start_training that the loop sets.
OWN = frozenset(
    {
        "manifest",
        "base_model",
        "out_dir",
        "epochs",
        "max_steps",
        "resume",
        "samples",
        "hyperparams",
        "gpu_memory_gb",
        "extend",
    }
)
MANY_EPOCHS = 1000  # max_steps ends a round


class Params(Strict):
    """Parameters of ``refine_voice``."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"voice_dir"})

    manifest: CodedManifest = Field(description="As of start_training.")
    base_model: ModelRef = Field(DEFAULT_BASE, description="A voice is trained further.")
    out_dir: OutputPath = rare("", description="For checkpoints/, evaluations/, final_model/.")
    voice_dir: OutputPath = rare(
        "", description="For the best voice, too. Without an out_dir: voices/<name> in the home."
    )
    rating: Literal["automatic", "person"] = Field("automatic", description="person: waits for rate_samples scores.")
    quality_threshold: float = Field(3.5, ge=1, le=5, description="Mean rating that ends it; automatic: at most 4.5.")
    max_iterations: int = Field(5, ge=1, le=50)
    epochs_per_iteration: int = rare(1, ge=1, le=100)
    steps_per_iteration: int | None = rare(None, ge=1, description="Optimiser steps of a round, instead of epochs.")
    texts: list[SpokenText] = Field(
        default=list(EVALUATION_TEXTS), min_length=1, max_length=50, description="Spoken and rated in every round."
    )
    instruct: Instruct | None = rare(None, description="How the texts are spoken, as in synthesize.")
    training: Annotated[dict[str, Value], ArgumentsMark(Training)] = Field(
        default_factory=dict, description="Others of start_training."
    )
    gpu_memory_gb: float | None = CARD_MEMORY
    hyperparams: ConfigPath | None = rare(None, description="best_config.json of tune_hparams.")
    run_hyperparameter_search: bool = rare(False, description="tune_hparams first.")
    hp_trials: int = rare(10, ge=1, le=500)
    hp_steps: int = rare(300, ge=2, le=100_000, description="Optimiser steps of a trial.")
    hp_first: list[dict[str, Value]] = rare(
        default_factory=list, description="Points that the search tries first. Default: web_research_hparams'."
    )
    zero_shot: bool = rare(True, description="Rate the base's clone too, for comparison with no training.")
    takes_per_text: int = rare(2, ge=1, le=20, description="More than one, because synthesis samples.")
    anchor_clips: int = rare(6, ge=0, le=50, description="As in rate_samples.")
    seed: int = rare(0, ge=0)


class Round(Strict):
    """One iteration."""

    iteration: int = Field(description="0: the base's own clone.")
    rating: float = Field(description="As shown: at most 4.5 without a person's score.")
    uncapped: float = Field(description="Mean over texts; rounds are compared by it.")
    low: float = Field(description="Lower end of its 95 % interval.")
    high: float
    n_takes: int
    stop_rate: float = Field(description="Share of takes that ended before the limit.")
    intelligibility: float | None = Field(None, description="Part of the rating, 0 to 1.")
    similarity: float | None = Field(None, description="The same for the speaker.")
    voice: str
    lr: float | None = None
    steps: int | None = None
    freeze: str | None = None
    validation_loss: float | None = None
    decision: str = Field(description="What followed, with the measurements behind it.")


class Result(Strict):
    """Result of ``refine_voice``."""

    voice: str = Field(description="The best round's.")
    best_iteration: int
    rating: float
    threshold_met: bool
    verdict: str
    summary: list[str] = Field(description="At most ten lines.")
    rounds: list[Round]
    narrator: float | None = Field(None, description="The narrator's own clips, rated alike: upper bound.")
    zero_shot: float | None = Field(None, description="The base's clone, rated alike: no training.")
    other_speaker: float | None = Field(None, description="Another speaker, rated alike: lower bound.")
    best_config: str | None = None
    report: str


def search_of(params: Params, out_dir: str = "") -> Tune:
    """Return the parameters of the search before the rounds."""
    return Tune(
        manifest=params.manifest,
        base_model=params.base_model,
        out_dir=out_dir,
        n_trials=params.hp_trials,
        trial_steps=params.hp_steps,
        training=params.training,
        gpu_memory_gb=params.gpu_memory_gb,
        first=params.hp_first,
        instruct=params.instruct,
        seed=params.seed,
    )


def check(params: Params) -> None:
    """Check the training of a round, and that the threshold can be met."""
    if params.rating == "automatic" and params.quality_threshold > AUTOMATIC_CAP:
        raise UserError(
            "threshold_too_high",
            f"The automatic rating gives at most {AUTOMATIC_CAP}, and quality_threshold is {params.quality_threshold}.",
            "Lower it, or use rating=person.",
        )
    own = sorted(OWN & set(params.training))
    if own:
        raise UserError("bad_arguments", f"training: {', '.join(own)} is set by the loop.", "Omit it.")
    try:
        training = Training.model_validate(
            {**params.training, "manifest": params.manifest, "base_model": params.base_model}
        )
    except ValidationError as error:
        raise UserError(
            "bad_arguments", f"training: {first_fault(error)}", "See start_training's arguments."
        ) from error
    check_training(training)
    check_instruct(params.base_model, params.instruct)


def complete(args: Params, settings: Settings) -> dict[str, Any]:
    """Add the first points of the search before the rounds, unless the caller gave some."""
    if not args.run_hyperparameter_search or args.hp_first:
        return {}
    return {"hp_first": TUNE.complete_arguments(search_of(args), settings)["first"]}
