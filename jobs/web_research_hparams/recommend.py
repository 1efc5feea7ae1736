"""From facts to a starting point: settings for start_training, ranges to search, and the facts they rest on. Pure.

Where no fact of a sound loss exists the choice is a judgement, and the cautions say so.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from jobs.web_research_hparams.knowledge import Fact, Method, ModelSize

CLIPS_PER_MINUTE = 10  # clips of a narrator are 2 to 10 s, about 6 on average
MAX_WARMUP_STEPS = 50  # full-warmup
WARMUP_SHARE = 0.1  # of the run: a warm-up that never ends searches nothing
ENOUGH_CLIPS = 1800  # full-data-enough
LORA_CLIPS_SEEN = (250, 1200)  # clips times epochs; published 250 to 400 under a wrong loss, so searched wider
_LORA_TARGET = 600
MOST_EPOCHS = 15  # lora-by-clips

_TRAINABLE = {"0.6b": 0.5946e9, "1.7b": 1.61e9}  # trainable
_BASE_GB = {"0.6b": 1.9, "1.7b": 3.9}  # weights in bfloat16; 1.7b: full-memory-17b, 0.6b: in proportion
_ACTIVATIONS_GB = {"0.6b": 0.5, "1.7b": 1.0}  # a clip of 10 s without checkpointing; our estimate
_BF16, _FP32_AND_GRADIENT, _ADAM, _ADAM_8BIT = 2, 4 + 4, 8, 2  # bytes a weight


class Request(BaseModel):
    """What a recommendation depends on."""

    size: ModelSize = "0.6b"
    method: Method = "full"
    minutes_of_audio: float | None = None
    gpu_memory_gb: float | None = None


class Recommendation(BaseModel):
    """Where to start and where to search."""

    settings: dict[str, float | int | bool | str] = Field(description="Arguments of start_training, by its own names.")
    ranges: dict[str, list[float]] = Field(description="Lowest and highest worth trying; lr on a log scale.")
    choices: dict[str, list[float]] = Field(default_factory=dict, description="Values worth trying one by one.")
    because: dict[str, list[str]] = Field(description="Ids of the facts behind each setting; empty: our judgement.")
    n_clips_assumed: int | None = None
    steps: int | None = Field(None, description="Optimiser steps of the run at these settings.")
    memory_gb: float = Field(description="Estimated peak on the GPU with these settings; not measured.")
    cautions: list[str] = Field(default_factory=list)


def recommend(request: Request, facts: Sequence[Fact]) -> Recommendation:
    """Choose settings.

    Args:
        request: size, method, minutes of audio, memory.
        facts: the knowledge base; only facts that are in it are cited.
    """
    n_clips = None if request.minutes_of_audio is None else max(1, round(request.minutes_of_audio * CLIPS_PER_MINUTE))
    is_lora = request.method == "lora"
    epochs = _lora_epochs(n_clips) if is_lora else _full_epochs(n_clips)
    memory = _fit(request)
    batch = memory.batch_size * memory.accumulation
    steps = None if n_clips is None else max(1, -(-n_clips // batch) * epochs)
    settings: dict[str, float | int | bool | str] = {
        "lr": 1e-5 if is_lora else 5e-6,
        "epochs": epochs,
        "batch_size": memory.batch_size,
        "gradient_accumulation_steps": memory.accumulation,
        "warmup_steps": MAX_WARMUP_STEPS if steps is None else min(MAX_WARMUP_STEPS, int(steps * WARMUP_SHARE)),
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "code_predictor_weight": 0.3,
        "gradient_checkpointing": memory.gradient_checkpointing,
        "optimizer": "adamw_8bit" if memory.use_8bit_adam else "adamw",
    }
    if is_lora:
        settings |= {"lora_r": 32, "lora_alpha": 64, "lora_dropout": 0.05}
    known = {fact.id for fact in facts}
    because = {name: [fact for fact in ids if fact in known] for name, ids in _BECAUSE[request.method].items()}
    return Recommendation(
        settings=settings,
        ranges=_ranges(is_lora, n_clips, steps, epochs),
        choices={"lora_r": [16, 32, 64]} if is_lora else {},
        because=because,
        n_clips_assumed=n_clips,
        steps=steps,
        memory_gb=round(memory.gb, 1),
        cautions=_cautions(request, n_clips, steps, memory),
    )


_BECAUSE: dict[Method, dict[str, list[str]]] = {
    "full": {
        "lr": ["full-recipe", "full-lr-too-high"],
        "epochs": ["full-epochs", "full-data-enough"],
        "batch_size": ["full-batch", "full-recipe"],
        "warmup_steps": ["full-warmup"],
        "weight_decay": ["full-recipe"],
        "max_grad_norm": ["full-recipe"],
        "code_predictor_weight": ["full-recipe", "full-dead-knob"],
        "gradient_checkpointing": ["full-memory-17b", "trainable"],
        "optimizer": ["trainable"],
    },
    "lora": {
        "lr": ["lora-no-correct", "lora-67-voices", "lora-runaway", "lora-ablation"],
        "epochs": ["lora-by-clips", "lora-67-voices"],
        "batch_size": ["full-batch", "lora-all-projections"],
        "warmup_steps": ["full-warmup"],
        "weight_decay": ["full-recipe"],
        "max_grad_norm": ["full-recipe"],
        "code_predictor_weight": ["full-recipe"],
        "lora_r": ["lora-67-voices", "lora-all-projections", "capacity-lora"],
        "lora_alpha": ["lora-67-voices", "lora-all-projections"],
        "lora_dropout": ["lora-attention-only", "lora-all-projections"],
    },
}


class _Memory(BaseModel):
    """How the run is fitted into the GPU."""

    batch_size: int
    accumulation: int
    gradient_checkpointing: bool
    use_8bit_adam: bool
    gb: float
    fits: bool


def _fit(request: Request) -> _Memory:
    """The fastest way of training four clips a step that fits; the smallest when none does."""
    ways = [
        (4, False, False), (4, True, False), (2, True, False), (1, True, False), (4, True, True), (1, True, True),
    ]  # fmt: skip
    if request.method == "lora":  # its optimiser is small: 8 bits save nothing
        ways = [way for way in ways if not way[2]]
    tried = [_way(request, *way) for way in ways]
    return next((memory for memory in tried if memory.fits), tried[-1])


def _way(request: Request, batch_size: int, gradient_checkpointing: bool, use_8bit_adam: bool) -> _Memory:
    activations_gb = batch_size * _ACTIVATIONS_GB[request.size] * (0.3 if gradient_checkpointing else 1.0)
    weights_gb = _BASE_GB[request.size]
    if request.method == "full":
        bytes_each = _FP32_AND_GRADIENT - _BF16 + (_ADAM_8BIT if use_8bit_adam else _ADAM)
        weights_gb += _TRAINABLE[request.size] * bytes_each / 1e9
    gb = weights_gb + activations_gb + 1.0  # CUDA itself
    return _Memory(
        batch_size=batch_size,
        accumulation=4 // batch_size,
        gradient_checkpointing=gradient_checkpointing,
        use_8bit_adam=use_8bit_adam,
        gb=gb,
        fits=request.gpu_memory_gb is None or gb <= request.gpu_memory_gb,
    )


def _full_epochs(n_clips: int | None) -> int:
    return 1 if n_clips is None or n_clips >= ENOUGH_CLIPS else 2


def _lora_epochs(n_clips: int | None) -> int:
    return 4 if n_clips is None else max(2, min(6, round(_LORA_TARGET / n_clips)))


def _ranges(is_lora: bool, n_clips: int | None, steps: int | None, epochs: int) -> dict[str, list[float]]:
    longest_warmup = 100.0 if steps is None else min(100.0, max(1.0, float(int(WARMUP_SHARE * steps))))
    ranges = {"warmup_steps": [0.0, longest_warmup], "batch_size": [4.0, 16.0]}
    if not is_lora:
        few = n_clips is not None and n_clips < ENOUGH_CLIPS
        return {"lr": [1e-6, 1e-5], "epochs": [1.0, 4.0 if few else 2.0], **ranges}
    low, high = (2, 6) if n_clips is None else (seen // n_clips for seen in LORA_CLIPS_SEEN)
    low, high = max(1, min(low, epochs)), max(epochs, min(high, MOST_EPOCHS))
    return {"lr": [1e-6, 5e-5], "epochs": [float(low), float(high)], **ranges}


def _cautions(request: Request, n_clips: int | None, steps: int | None, memory: _Memory) -> list[str]:
    cautions = []
    if request.method == "lora":
        cautions.append(
            "No LoRA figure was ever published from a trainer with a sound loss: rate, epochs and rank are our "
            "judgement. Try lr 2e-6, 1e-5 and 5e-5 in short runs first, and listen for takes that never end."
        )
    elif n_clips is not None and n_clips < ENOUGH_CLIPS:
        cautions.append(
            f"About {n_clips} clips; sound-loss figures start at {ENOUGH_CLIPS}. Rate every checkpoint and keep the "
            "best; if none beats cloning without training, more audio helps more than more epochs."
        )
    if request.minutes_of_audio is not None and request.minutes_of_audio < 10:
        cautions.append("Under 10 minutes of audio: others warn here, and refuse under 3. Cloning may be as good.")
    if request.minutes_of_audio is None:
        cautions.append("minutes_of_audio was not given: epochs and warm-up fit a run of 500 steps or more.")
    if steps is not None and steps < 50:
        cautions.append(f"The whole run is {steps} optimiser steps: expect a slight change of voice only.")
    if not memory.fits:
        cautions.append(
            f"This does not fit into {request.gpu_memory_gb:g} GB: about {memory.gb:.0f} GB are needed even with the "
            "smallest settings. Use method lora, or the 0.6b model, or a larger GPU."
        )
    cautions.append("memory_gb is an estimate (float32 master weights, clips up to 10 s), not a measurement.")
    return cautions
