"""Recommendation from facts: settings for start_training, ranges and points for tune_hparams, and their evidence.

Where no fact of a correct loss exists, the choice is a judgement, and the cautions say so. Values from pages add points
to try, within the ranges; they change nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field

from jobs.param_types import Value
from jobs.warmup import WARMUP_DIVISOR, compute_warmup
from jobs.web_research_hparams.evidence.rules import ENOUGH_CLIPS, LR_BOUNDS, MAX_EPOCHS, NO_GAIN_WARMUP_STEPS
from jobs.web_research_hparams.evidence.weighing import ValueCandidate, find_supported_values
from jobs.web_research_hparams.knowledge import Fact, Method, ModelSize

CLIPS_PER_MINUTE = 10  # clips of a narrator are 2 to 10 s, about 6 on average
LORA_CLIPS_TIMES_EPOCHS = (250, 1200)  # clips times epochs; published 250 to 400 under a wrong loss, so searched wider
TRIAL_STEPS = 300  # of tune_hparams
SOURCE = "source"  # the key of a point's origin in tune_hparams
MAX_POINTS_FROM_PAGES = 2  # points that pages may add


class RecommendationRequest(BaseModel):
    """Input of a recommendation."""

    size: ModelSize = "0.6b"
    method: Method = "full"
    minutes_of_audio: float | None = None
    gpu_memory_gb: float | None = None
    trial_steps: int = TRIAL_STEPS

    @property
    def n_clips(self) -> int | None:
        """Estimated number of clips in the audio."""
        return None if self.minutes_of_audio is None else max(1, round(self.minutes_of_audio * CLIPS_PER_MINUTE))


@dataclass(frozen=True)
class TrainingPlan:
    """Choices of training itself for the GPU and the hours of audio; ``tools`` computes them.

    ``memory_gb`` is the estimated peak; None: the GPU is not known.
    """

    settings: Mapping[str, Value] = field(default_factory=lambda: {"batch_size": 4, "gradient_accumulation_steps": 1})
    epochs: int | None = None
    memory_gb: float | None = None
    fits: bool = True


class Recommendation(BaseModel):
    """Settings to start with, and ranges and points to search."""

    settings: dict[str, float | int | bool | str] = Field(description="Arguments of start_training, by its own names.")
    limits: dict[str, list[float]] = Field(description="Lowest and highest worth trying, also of what is not searched.")
    ranges: list[dict[str, Any]] = Field(description="For tune_hparams ranges.")
    starting_points: list[dict[str, Any]] = Field(description="For tune_hparams first; each lies in the ranges.")
    points_because: list[list[str]] = Field(description="Facts and findings behind each point.")
    because: dict[str, list[str]] = Field(description="Ids of the facts behind each setting; empty: our judgement.")
    n_clips_assumed: int | None = None
    steps: int | None = Field(None, description="Optimiser steps of the run at these settings.")
    memory_gb: float | None = Field(None, description="Estimated peak on the GPU with these settings; not measured.")
    cautions: list[str] = Field(default_factory=list)


def recommend(
    request: RecommendationRequest,
    facts: Sequence[Fact],
    plan: TrainingPlan | None = None,
    candidates: Sequence[ValueCandidate] = (),
) -> Recommendation:
    """Choose settings, ranges and points from the knowledge base's facts and weighed values from pages."""
    plan = plan or TrainingPlan()
    n_clips, is_lora = request.n_clips, request.method == "lora"
    epochs = plan.epochs or (4 if is_lora else 1 if n_clips is None or n_clips >= ENOUGH_CLIPS else 2)
    batch = int(plan.settings.get("batch_size", 4)) * int(plan.settings.get("gradient_accumulation_steps", 1))
    steps = None if n_clips is None else max(1, -(-n_clips // batch) * epochs)
    settings: dict[str, Value] = {
        "lr": 1e-4 if is_lora else 5e-6,
        "epochs": epochs,
        **plan.settings,
        "warmup_steps": compute_warmup(steps),
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "code_predictor_weight": 0.3,
    }
    settings |= {"lora_r": 32, "lora_alpha": 32, "lora_dropout": 0.05} if is_lora else {"freeze": "code_predictor"}
    known = {fact.id for fact in facts}
    because = {name: [fact for fact in ids if fact in known] for name, ids in _BECAUSE[request.method].items()}
    limits = _limits(request, steps, epochs)
    ranges = _ranges(request, limits, settings)
    points, points_because = _points(request, settings, ranges, known, candidates)
    sources = {fact.id: fact.source for fact in facts} | {one.id: one.source_url for one in candidates}
    points = [
        point | {SOURCE: "; ".join([*dict.fromkeys(sources[one] for one in ids)][:2]) or "our judgement"}
        for point, ids in zip(points, points_because, strict=True)
    ]
    return Recommendation(
        settings=settings,
        limits=limits,
        ranges=ranges,
        starting_points=points,
        points_because=points_because,
        because=because,
        n_clips_assumed=n_clips,
        steps=steps,
        memory_gb=None if plan.memory_gb is None else round(plan.memory_gb, 1),
        cautions=_cautions(request, steps, plan, (int(settings["warmup_steps"]), compute_warmup(request.trial_steps))),
    )


_BECAUSE: dict[Method, dict[str, list[str]]] = {
    "full": {
        "lr": ["full-recipe", "full-lr-too-high", "swift-preset"],
        "epochs": ["full-epochs", "full-data-enough"],
        "batch_size": ["full-batch", "full-recipe"],
        "gradient_accumulation_steps": ["full-batch"],
        "warmup_steps": ["full-warmup"],
        "weight_decay": ["full-recipe"],
        "max_grad_norm": ["full-recipe"],
        "code_predictor_weight": ["full-recipe", "full-dead-knob"],
        "freeze": ["full-freeze-predictor"],
        "gradient_checkpointing": ["full-memory-17b", "trainable"],
        "optimizer": ["trainable"],
    },
    "lora": {
        "lr": ["lora-equal-progress", "lora-no-correct", "lora-67-voices", "lora-runaway", "lora-ablation"],
        "epochs": ["lora-by-clips", "lora-67-voices"],
        "batch_size": ["full-batch", "lora-all-projections"],
        "gradient_accumulation_steps": ["full-batch", "lora-by-clips"],
        "warmup_steps": ["full-warmup"],
        "weight_decay": ["full-recipe"],
        "max_grad_norm": ["full-recipe"],
        "code_predictor_weight": ["full-recipe"],
        "lora_r": ["lora-67-voices", "lora-all-projections", "capacity-lora"],
        "lora_alpha": ["lora-equal-progress", "lora-67-voices", "lora-all-projections"],
        "lora_dropout": ["lora-attention-only", "lora-all-projections"],
    },
}

# Further points, for which the evidence differs.
_OTHER_POINTS: dict[Method, list[tuple[dict[str, Value], list[str]]]] = {
    "full": [
        ({"lr": 1e-5}, ["swift-preset", "full-lr-too-high"]),
        ({"lr": 1e-6}, ["faster-speech"]),
    ],
    "lora": [
        ({"lr": 1e-6, "lora_r": 64, "lora_alpha": 128}, ["lora-67-voices", "lora-runaway"]),
        ({"lr": 2e-6, "lora_r": 16, "lora_alpha": 32}, ["lora-all-projections"]),
        ({"lr": 3e-5, "lora_r": 16, "lora_alpha": 32}, ["lora-ablation"]),
        ({"lr": 3e-4, "lora_r": 16, "lora_alpha": 32}, ["lora-equal-progress"]),
    ],
}


def _limits(request: RecommendationRequest, steps: int | None, epochs: int) -> dict[str, list[float]]:
    low, high = LR_BOUNDS[request.method]
    longest_warmup = NO_GAIN_WARMUP_STEPS
    if steps is not None:
        longest_warmup = max(1, min(longest_warmup, steps // WARMUP_DIVISOR))
    limits = {"lr": [low, high], "warmup_steps": [0.0, float(longest_warmup)], "batch_size": [4.0, 16.0],
              "weight_decay": [0.0, 0.1]}  # fmt: skip
    if request.method == "full":
        few = request.n_clips is not None and request.n_clips < ENOUGH_CLIPS
        return limits | {"epochs": [1.0, float(MAX_EPOCHS["full"]) if few else 2.0]}
    least, most = (2, 6) if request.n_clips is None else (seen // request.n_clips for seen in LORA_CLIPS_TIMES_EPOCHS)
    least, most = max(1, min(least, epochs)), max(epochs, min(most, MAX_EPOCHS["lora"]))
    return limits | {"epochs": [float(least), float(most)], "lora_r": [16.0, 64.0], "lora_alpha": [32.0, 128.0]}


def _ranges(
    request: RecommendationRequest, limits: Mapping[str, list[float]], settings: Mapping[str, Value]
) -> list[dict[str, Any]]:
    """Build the ranges of the settings that short trials can distinguish; epochs are not among them."""
    passes = int(settings.get("gradient_accumulation_steps", 1))
    ranges: list[dict[str, Any]] = [
        {"name": "lr", "low": limits["lr"][0], "high": limits["lr"][1], "log": True},
        {"name": "gradient_accumulation_steps", "choices": [passes, 2 * passes]},
        {"name": "warmup_steps", "low": 0, "high": compute_warmup(request.trial_steps)},
    ]
    if request.method == "lora":
        ranges += [{"name": "lora_r", "choices": [16, 32, 64]}, {"name": "lora_alpha", "choices": [32, 64, 128]}]
    return ranges


def _points(
    request: RecommendationRequest,
    settings: Mapping[str, Value],
    ranges: Sequence[Mapping[str, Any]],
    known: set[str],
    candidates: Sequence[ValueCandidate],
) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Build complete points of the search space: the recommended one, others from facts, values that pages agree on."""
    names = [found["name"] for found in ranges]
    start: dict[str, Value] = {name: settings.get(name, 1) for name in names}
    start["warmup_steps"] = min(int(start["warmup_steps"]), compute_warmup(request.trial_steps))
    points, because = [start], [[fact for fact in _BECAUSE[request.method]["lr"] if fact in known]]
    for change, ids in _OTHER_POINTS[request.method]:
        points.append(start | change)
        because.append([fact for fact in ids if fact in known])
    added = 0
    for found in ranges:
        for value, group in find_supported_values(candidates, found["name"]):
            point = start | {found["name"]: int(value) if float(value).is_integer() and value >= 1 else value}
            if (
                added < MAX_POINTS_FROM_PAGES
                and _range_contains(found, value)
                and not _is_near_a_point(found["name"], value, points)
            ):
                points.append(point)
                because.append([one.id for one in group])
                added += 1
    return points, because


def _range_contains(found: Mapping[str, Any], value: float) -> bool:
    return value in found["choices"] if "choices" in found else bool(found["low"] <= value <= found["high"])


def _is_near_a_point(name: str, value: float, points: Sequence[Mapping[str, Value]]) -> bool:
    return any(0.8 * value <= float(point[name]) <= 1.25 * value for point in points)


def _cautions(
    request: RecommendationRequest, steps: int | None, plan: TrainingPlan, steps_of_warmup: tuple[int, int]
) -> list[str]:
    """List what limits the recommendation; ``steps_of_warmup``: of a whole run, and the most of a trial."""
    cautions = []
    if request.method == "lora":
        cautions.append(
            "No LoRA result was published from a trainer with a correct loss: lr is the one that learns as fast as "
            "full training in our bench on random weights, epochs and rank are our judgement. Try lr 3e-5, 1e-4 and "
            "3e-4 in short runs first, and listen for takes that never end."
        )
    elif request.n_clips is not None and request.n_clips < ENOUGH_CLIPS:
        cautions.append(
            f"About {request.n_clips} clips; results with a correct loss start at {ENOUGH_CLIPS}. Rate every "
            "checkpoint and keep the best; if none beats cloning without training, add audio rather than epochs."
        )
    if request.minutes_of_audio is not None and request.minutes_of_audio < 10:
        cautions.append("Under 10 minutes of audio: others warn here, and refuse under 3. Cloning may be as good.")
    if request.minutes_of_audio is None:
        cautions.append("minutes_of_audio was not given: epochs and warm-up fit a run of 500 steps or more.")
    if steps is not None and steps < 50:
        cautions.append(f"The whole run is {steps} optimiser steps: expect a slight change of voice only.")
    if not plan.fits:
        cautions.append(
            f"The run does not fit into {request.gpu_memory_gb:g} GB: about {plan.memory_gb:.0f} GB are needed even "
            "with the smallest settings. Use method lora, or the 0.6b model, or a larger GPU."
        )
    whole, trial = steps_of_warmup
    if whole != trial:
        cautions.append(
            f"warmup_steps={whole} is for a whole run; ranges and starting_points have at most {trial}, because they "
            f"are for trials of {request.trial_steps} steps."
        )
    if plan.memory_gb is not None:
        cautions.append("memory_gb is start_training's own estimate for clips of up to 15 s, not a measurement.")
    return cautions
