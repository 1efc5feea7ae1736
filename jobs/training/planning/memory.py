"""Estimate of a training run's peak memory as a sum of parts.

Computed from the model's dimensions: activations saved by autograd, logits, weights, gradients, optimiser state. A test
compares the estimate with the measured peak of the loop's steps on a CPU in float32, within 10 %
(tests/jobs/training/planning/test_memory.py). In bfloat16 under autocast, as on a GPU, it was within 9 % of steps on a
CPU when the attention matrix that a CPU keeps was counted (2026-11-24). Not measured, for lack of a GPU:
``CUDA_CONTEXT``, memory of flash attention, fragmentation, ``torch.compile``, the mask of packed clips.
"""

from dataclasses import dataclass
from typing import Literal

from jobs.codec_format import N_CODEBOOKS
from jobs.training.planning.model_dims import ModelDims, StackDims

Device = Literal["cpu", "cuda", "cuda_float32"]  # the last: a GPU too old for half precision

# CUDA context, cuBLAS workspaces and fragmentation: commonly 0.5 to 0.8 GB. Not measured here.
CUDA_CONTEXT = 800_000_000
# Resident memory of a training worker after all imports, before weights are loaded (measured, torch 2.8).
CPU_PROCESS = 960_000_000

# Bytes per weight, gradient and optimiser state; see ``jobs.training.run.optim`` and ``jobs.qwen.train.lora``.
# Half precision is bfloat16 or float16; both have two bytes.
FLOAT32, HALF = 4, 2
FOUR_BIT = 0.5 + 0.127 / 8  # NF4 and its doubly quantised block scales (bitsandbytes, QLoRA paper: 0.127 bit a weight)
STATE_BYTES = {"adamw": 8.0, "adamw_8bit": 2.0 + 2 * 4 / 256, "paged_adamw_8bit": 0.0}  # 8 bit: a scale per 256 weights


@dataclass(frozen=True)
class Recipe:
    """Parameters of a run that decide its memory.

    Attributes:
        optimizer: see ``STATE_BYTES``; paged state moves to main memory when the GPU is full, so it counts as zero.
        gradient_checkpointing: keep the inputs of layers only, and recompute the rest.
        accumulates: an optimiser step has several micro-batches, so gradients exist together with activations.
        freeze: part that full training does not train, in addition to the text embedding.
        load_in_4bit: the frozen base under the adapters has 4 bits per weight.
    """

    method: Literal["full", "lora"] = "full"
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    gradient_checkpointing: bool = False
    accumulates: bool = False
    lora_r: int = 16
    lora_attention: bool = True
    lora_mlp: bool = True
    lora_predictor: bool = False
    freeze: Literal["none", "code_predictor", "talker"] = "none"
    load_in_4bit: bool = False


@dataclass(frozen=True)
class MicroBatchSize:
    """Size of the largest micro-batch.

    Attributes:
        width: positions of the longest clip, to which the others are padded.
        frames: of all clips together, without padding.
        predicted: of these, those whose codebooks 1 to 15 are trained on.
    """

    n_clips: int
    width: int
    frames: int
    predicted: int

    @property
    def positions(self) -> int:
        """Positions of the talker, padding included."""
        return self.n_clips * self.width


@dataclass(frozen=True)
class MemoryEstimate:
    """Peak memory in bytes, as a sum of parts.

    Attributes:
        moment: part of a step with the peak: ``forward``, ``loss``, ``loss backward``, ``predictor backward``,
            ``talker backward`` or ``optimizer``.
        parts: contents of the memory at that moment, by name.
    """

    moment: str
    parts: dict[str, float]

    @property
    def peak(self) -> float:
        """Sum of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class _SavedActivations:
    """Memory that autograd saves of one layer, in bytes per position."""

    per_position: float
    input: float

    def total(self, positions: int, n_layers: int, *, checkpointing: bool) -> float:
        return positions * n_layers * (self.input if checkpointing else self.per_position)


def estimate(dims: ModelDims, recipe: Recipe, largest: MicroBatchSize, device: Device) -> MemoryEstimate:
    """Estimate the peak of an optimiser step.

    ``cuda`` is half precision (autocast) with flash attention, the others are float32 with an attention matrix.
    """
    half = device == "cuda"
    trains_talker = recipe.method == "lora" or recipe.freeze != "talker"
    trains_predictor = recipe.lora_predictor if recipe.method == "lora" else recipe.freeze != "code_predictor"
    trained = _count_trained(dims, recipe)
    n_trained_talker, n_trained_predictor = trained
    gradients_talker, gradients_predictor = (FLOAT32 * n for n in trained)

    fixed = {
        "process" if device == "cpu" else "cuda context": float(CPU_PROCESS if device == "cpu" else CUDA_CONTEXT),
        "weights": _weights(dims, recipe, half),
        "optimizer state": (n_trained_talker + n_trained_predictor) * STATE_BYTES[recipe.optimizer],
    }

    width = HALF if half else FLOAT32
    talker_how = "none" if not trains_talker else recipe.method
    predictor_how = recipe.method if trains_predictor else "frozen"
    talker_layer = _saved_of_layer(dims.talker, talker_how, largest.width, half, wide=recipe.method == "full")
    predictor_layer = _saved_of_layer(dims.predictor, predictor_how, N_CODEBOOKS, half, wide=False)
    predicted = largest.predicted * N_CODEBOOKS
    checkpointing = recipe.gradient_checkpointing
    talker = talker_layer.total(largest.positions, dims.talker.n_layers, checkpointing=checkpointing)
    predictor = predictor_layer.total(predicted, dims.predictor.n_layers, checkpointing=checkpointing)
    temporary_copies = 0.0
    if half and recipe.method == "full":  # autocast's copies of the float32 weights, kept for the backward pass
        talker_layers, predictor_layers = (HALF * stack.matrices for stack in (dims.talker, dims.predictor))
        talker += (HALF * dims.talker_matrices - talker_layers * checkpointing) * trains_talker
        predictor += HALF * dims.predictor_matrices - predictor_layers * checkpointing
        if checkpointing:  # copies within layers are cached to the end of the forward pass, if the weights are trained
            temporary_copies = talker_layers * trains_talker + predictor_layers * trains_predictor
    # the last norms save as much as the first norm of a layer; their outputs go to the heads
    if trains_talker:
        talker += largest.positions * dims.talker.hidden * (FLOAT32 + (width if talker_how == "full" else 0))
    predictor_norm = predicted * dims.predictor.hidden * (FLOAT32 + (width if predictor_how == "full" else 0))
    code_embeddings = predicted * dims.talker.hidden * width
    if dims.projection_to_predictor and predictor_how == "full":
        predictor += code_embeddings
    talker_again = largest.positions * talker_layer.per_position if checkpointing else 0.0
    predictor_again = predicted * predictor_layer.per_position if checkpointing else 0.0
    talker_temporary = largest.positions * _count_temporary(dims.talker) * width
    predictor_temporary = predicted * _count_temporary(dims.predictor) * width

    predictor_logits = largest.predicted * (N_CODEBOOKS - 1) * dims.codebook
    talker_logits = (largest.frames + largest.n_clips) * dims.vocabulary
    accumulated = gradients_talker + gradients_predictor if recipe.accumulates else 0.0

    moments = {
        "forward": {
            "talker activations": talker + temporary_copies,
            "predictor activations": predictor + predictor_norm + 2 * code_embeddings,
            "logits": 2.0 * predictor_logits * width + talker_logits * width,
            "gradients": accumulated,
        },
        "loss": {  # the logits, in half precision also as float32, and their log-softmax
            "talker activations": talker + temporary_copies,
            "predictor activations": predictor + predictor_norm,
            "logits": (2.0 * FLOAT32 + (HALF if half else 0)) * (predictor_logits + talker_logits),
            "gradients": accumulated,
        },
        "loss backward": {
            "talker activations": talker,
            "predictor activations": predictor + predictor_norm,
            "logits": 3.0 * predictor_logits * FLOAT32 + talker_logits * FLOAT32,
            "gradients": accumulated,
        },
        "predictor backward": {
            "talker activations": talker,
            "predictor activations": predictor + predictor_again + predictor_temporary,
            "logits": float(talker_logits * FLOAT32),
            "gradients": accumulated or float(FLOAT32 * (N_CODEBOOKS - 1) * dims.codebook * dims.predictor.hidden)
            * trains_predictor,
        },
        "talker backward": {
            "talker activations": talker + talker_again + talker_temporary,
            "predictor activations": code_embeddings,
            "logits": 0.0,
            "gradients": accumulated or gradients_predictor,
        },
        "optimizer": {
            "talker activations": 0.0,
            "predictor activations": 0.0,
            "logits": 0.0,
            # frames and control ids each have a gradient of the codec embedding before the two are added
            "gradients": gradients_talker + gradients_predictor
            + (FLOAT32 * dims.vocabulary * dims.talker.hidden if recipe.method == "full" and trains_talker else 0.0),
        },
    }  # fmt: skip
    moment = max(moments, key=lambda name: sum(moments[name].values()))
    return MemoryEstimate(moment, {**fixed, **moments[moment]})


def trained_weights(dims: ModelDims, recipe: Recipe) -> float:
    """Count the trained weights."""
    return sum(_count_trained(dims, recipe))


def _count_trained(dims: ModelDims, recipe: Recipe) -> tuple[float, float]:
    """Count the trained weights outside the code predictor and in it."""
    if recipe.method == "lora":
        adapters = {"attention": recipe.lora_attention, "mlp": recipe.lora_mlp}
        predictor = dims.predictor.adapter_weights(recipe.lora_r, **adapters) if recipe.lora_predictor else 0
        return dims.talker.adapter_weights(recipe.lora_r, **adapters), predictor
    return (
        0.0 if recipe.freeze == "talker" else dims.talker_weights,
        0.0 if recipe.freeze == "code_predictor" else dims.predictor_weights,
    )


def _weights(dims: ModelDims, recipe: Recipe, half: bool) -> float:
    """Compute the bytes of weights: float32 (full), or a frozen base and float32 adapters (lora)."""
    base = FLOAT32 if recipe.method == "full" or not half else HALF
    n_adapters = sum(_count_trained(dims, recipe)) if recipe.method == "lora" else 0
    matrices = dims.talker.matrices + dims.predictor.matrices if recipe.load_in_4bit else 0
    return base * (dims.weights - matrices) + FOUR_BIT * matrices + FLOAT32 * n_adapters


def _saved_of_layer(stack: StackDims, how: str, width: int, half: bool, *, wide: bool) -> _SavedActivations:
    """Compute the activations that autograd saves for the backward pass of one layer.

    Args:
        how: ``full``, ``lora``, ``frozen`` (gradients pass through) or ``none`` (no gradient reaches it).
        width: positions of a sequence, for the attention matrix.
        half: half-precision arithmetic and flash attention.
        wide: the residual stream is float32 nevertheless, because it starts with a float32 embedding.
    """
    if how == "none":
        return _SavedActivations(0.0, 0.0)
    d, q, k, m, heads = stack.hidden, stack.query, stack.key, stack.intermediate, stack.n_heads
    element = HALF if half else FLOAT32
    stream = FLOAT32 if wide or not half else HALF
    saved = FLOAT32 * (2 * d + q + k)  # the norms' inputs
    saved += FLOAT32 * (2 + heads + stack.n_kv_heads)  # and their inverse deviations
    if how == "full":  # for the gradients of the norms' weights
        saved += stream * 2 * d + element * (q + k)
    if how in ("full", "lora"):  # inputs of the linear modules; autocast casts them separately for each of the five
        saved += element * ((5 if half else 2) * d + m + (0 if half else q))
    saved += element * 3 * m  # gate, its activation, up
    if half:  # flash attention: q, k, v, output, and a log-sum per head
        saved += element * (2 * q + 2 * k) + FLOAT32 * heads
    else:  # the attention matrix, and q, k, v with the width of the query heads
        saved += FLOAT32 * (3 * q + heads * width)
    return _SavedActivations(saved, stream * d)


def _count_temporary(stack: StackDims) -> float:
    """Count the elements per position that exist only during the backward pass of a layer."""
    return 2 * stack.intermediate + stack.hidden
