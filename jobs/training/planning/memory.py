"""How much memory a training run takes at its peak, as a sum of parts. Light: no torch.

Counted from the shapes: what autograd keeps of each layer, copies of logits, weights, gradients, optimiser state. The
arithmetic is held against the measured peak of the loop's own steps on a CPU in float32, within 10 %
(tests/jobs/training/test_memory.py). In bfloat16 under autocast, as on a GPU, it was within 9 % of steps on a CPU when
the attention matrix that a CPU keeps was counted (2026-11-24). Not measured, because no GPU was at hand:
``CUDA_CONTEXT``, what flash attention keeps, the allocator's fragments, ``torch.compile``, the mask of packed clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobs.codec_format import N_CODEBOOKS
from jobs.training.planning.model_dims import Shape, Stack

Device = Literal["cpu", "cuda"]

# CUDA context, cuBLAS workspaces and what the allocator cannot use: 0.5 to 0.8 GB are commonly seen. Not measured here.
CUDA_CONTEXT = 800_000_000
# Resident memory of a training worker that has imported everything and loaded no weight (measured, torch 2.8).
CPU_PROCESS = 960_000_000

# Bytes a weight, its gradient and its optimiser state take; see ``optimiser.py`` and ``lora.py``.
FLOAT32, BFLOAT16 = 4, 2
FOUR_BIT = 0.5 + 0.127 / 8  # NF4 and its doubly quantised block scales (bitsandbytes, QLoRA paper: 0.127 bit a weight)
STATE_BYTES = {"adamw": 8.0, "adamw_8bit": 2.0 + 2 * 4 / 256, "paged_adamw_8bit": 0.0}  # 8 bit: a scale per 256


@dataclass(frozen=True)
class Recipe:
    """What of a run's parameters decides its memory.

    Attributes:
        method: what learns: all weights of the talker, or adapters.
        optimizer: see ``STATE_BYTES``; paged state moves to the host when the GPU is full, so it counts as nothing.
        gradient_checkpointing: keep the inputs of layers only, compute the rest again.
        accumulates: several forward passes an optimiser step, so that gradients lie beside activations.
        lora_r: rank of the adapters.
        lora_attention: adapters in the talker's attention.
        lora_mlp: adapters in the talker's MLPs.
        lora_predictor: adapters in the code predictor too.
        freeze: what full training leaves alone, beside the text embedding.
        load_in_4bit: the frozen base under the adapters is kept in 4 bits.
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
class PassSize:
    """The largest forward pass.

    Attributes:
        n_clips: side by side.
        width: positions of the longest clip, to which the others are padded.
        frames: of all clips together, without padding.
        predicted: of these, those whose books 1 to 15 are learnt.
    """

    n_clips: int
    width: int
    frames: int
    predicted: int

    @property
    def positions(self) -> int:
        """Positions that the talker computes, padding included."""
        return self.n_clips * self.width


@dataclass(frozen=True)
class Estimate:
    """Bytes at the moment when most is taken; the parts add up to it.

    Attributes:
        moment: of a step: ``forward``, ``loss``, ``loss backward``, ``predictor backward``, ``talker backward`` or
            ``optimizer``.
        parts: what lies in memory then, by name.
    """

    moment: str
    parts: dict[str, float]

    @property
    def peak(self) -> float:
        """All parts together."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class _Kept:
    """What autograd keeps of one layer, in bytes a position."""

    per_position: float
    input: float

    def of(self, positions: int, n_layers: int, *, checkpointing: bool) -> float:
        return positions * n_layers * (self.input if checkpointing else self.per_position)


def estimate(shape: Shape, recipe: Recipe, largest: PassSize, device: Device) -> Estimate:
    """Estimate the peak of an optimiser step.

    On a GPU arithmetic is bfloat16 (autocast) with flash attention, on a CPU float32 with an attention matrix.
    """
    half = device == "cuda"
    learns_talker = recipe.method == "lora" or recipe.freeze != "talker"
    learns_predictor = recipe.lora_predictor if recipe.method == "lora" else recipe.freeze != "code_predictor"
    trained = _trained(shape, recipe)
    n_trained_talker, n_trained_predictor = trained
    gradients_talker, gradients_predictor = (FLOAT32 * n for n in trained)

    fixed = {
        "process" if device == "cpu" else "cuda context": float(CPU_PROCESS if device == "cpu" else CUDA_CONTEXT),
        "weights": _weights(shape, recipe, half),
        "optimizer state": (n_trained_talker + n_trained_predictor) * STATE_BYTES[recipe.optimizer],
    }

    width = BFLOAT16 if half else FLOAT32
    talker_how = "none" if not learns_talker else recipe.method
    predictor_how = recipe.method if learns_predictor else "frozen"
    talker_layer = _kept_of_layer(shape.talker, talker_how, largest.width, half, wide=recipe.method == "full")
    predictor_layer = _kept_of_layer(shape.predictor, predictor_how, N_CODEBOOKS, half, wide=False)
    predicted = largest.predicted * N_CODEBOOKS
    checkpointing = recipe.gradient_checkpointing
    talker = talker_layer.of(largest.positions, shape.talker.n_layers, checkpointing=checkpointing)
    predictor = predictor_layer.of(predicted, shape.predictor.n_layers, checkpointing=checkpointing)
    passing_copies = 0.0
    if half and recipe.method == "full":  # autocast's copies of the float32 weights, kept for the backward pass
        talker_layers, predictor_layers = (BFLOAT16 * stack.matrices for stack in (shape.talker, shape.predictor))
        talker += (BFLOAT16 * shape.talker_matrices - talker_layers * checkpointing) * learns_talker
        predictor += BFLOAT16 * shape.predictor_matrices - predictor_layers * checkpointing
        if checkpointing:  # copies within layers are cached to the end of the forward pass, if the weights learn
            passing_copies = talker_layers * learns_talker + predictor_layers * learns_predictor
    # the last norms keep as much as a layer's first; their outputs go to the heads
    if learns_talker:
        talker += largest.positions * shape.talker.hidden * (FLOAT32 + (width if talker_how == "full" else 0))
    predictor_norm = predicted * shape.predictor.hidden * (FLOAT32 + (width if predictor_how == "full" else 0))
    books = predicted * shape.talker.hidden * width
    if shape.projection_to_predictor and predictor_how == "full":
        predictor += books
    talker_again = largest.positions * talker_layer.per_position if checkpointing else 0.0
    predictor_again = predicted * predictor_layer.per_position if checkpointing else 0.0
    talker_passing = largest.positions * _passing(shape.talker) * width
    predictor_passing = predicted * _passing(shape.predictor) * width

    predictor_logits = largest.predicted * (N_CODEBOOKS - 1) * shape.codebook
    talker_logits = (largest.frames + largest.n_clips) * shape.vocabulary
    accumulated = gradients_talker + gradients_predictor if recipe.accumulates else 0.0

    moments = {
        "forward": {
            "talker activations": talker + passing_copies,
            "predictor activations": predictor + predictor_norm + 2 * books,
            "logits": 2.0 * predictor_logits * width + talker_logits * width,
            "gradients": accumulated,
        },
        "loss": {  # the logits, in bfloat16 also as float32, and their log-softmax
            "talker activations": talker + passing_copies,
            "predictor activations": predictor + predictor_norm,
            "logits": (2.0 * FLOAT32 + (BFLOAT16 if half else 0)) * (predictor_logits + talker_logits),
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
            "predictor activations": predictor + predictor_again + predictor_passing,
            "logits": float(talker_logits * FLOAT32),
            "gradients": accumulated or float(FLOAT32 * (N_CODEBOOKS - 1) * shape.codebook * shape.predictor.hidden)
            * learns_predictor,
        },
        "talker backward": {
            "talker activations": talker + talker_again + talker_passing,
            "predictor activations": books,
            "logits": 0.0,
            "gradients": accumulated or gradients_predictor,
        },
        "optimizer": {
            "talker activations": 0.0,
            "predictor activations": 0.0,
            "logits": 0.0,
            # frames and control ids each bring a gradient of the codec embedding before the two are added
            "gradients": gradients_talker + gradients_predictor
            + (FLOAT32 * shape.vocabulary * shape.talker.hidden if recipe.method == "full" and learns_talker else 0.0),
        },
    }  # fmt: skip
    moment = max(moments, key=lambda name: sum(moments[name].values()))
    return Estimate(moment, {**fixed, **moments[moment]})


def trained_weights(shape: Shape, recipe: Recipe) -> float:
    """How many weights learn."""
    return sum(_trained(shape, recipe))


def _trained(shape: Shape, recipe: Recipe) -> tuple[float, float]:
    """Weights that learn: outside the code predictor, and in it."""
    if recipe.method == "lora":
        adapters = {"attention": recipe.lora_attention, "mlp": recipe.lora_mlp}
        predictor = shape.predictor.adapter_weights(recipe.lora_r, **adapters) if recipe.lora_predictor else 0
        return shape.talker.adapter_weights(recipe.lora_r, **adapters), predictor
    return (
        0.0 if recipe.freeze == "talker" else shape.talker_weights,
        0.0 if recipe.freeze == "code_predictor" else shape.predictor_weights,
    )


def _weights(shape: Shape, recipe: Recipe, half: bool) -> float:
    """Weights in memory: float32 masters (full), or the frozen base and float32 adapters."""
    base = FLOAT32 if recipe.method == "full" or not half else BFLOAT16
    n_adapters = sum(_trained(shape, recipe)) if recipe.method == "lora" else 0
    matrices = shape.talker.matrices + shape.predictor.matrices if recipe.load_in_4bit else 0
    return base * (shape.weights - matrices) + FOUR_BIT * matrices + FLOAT32 * n_adapters


def _kept_of_layer(stack: Stack, how: str, width: int, half: bool, *, wide: bool) -> _Kept:
    """What the backward pass of one layer needs.

    Args:
        stack: the layers.
        how: ``full``, ``lora``, ``frozen`` (gradients pass through) or ``none`` (no gradient reaches it).
        width: positions of a sequence, for the attention matrix.
        half: bfloat16 arithmetic and flash attention.
        wide: the residual stream is float32 even so, because a float32 embedding starts it.
    """
    if how == "none":
        return _Kept(0.0, 0.0)
    d, q, k, m, heads = stack.hidden, stack.query, stack.key, stack.intermediate, stack.n_heads
    element = BFLOAT16 if half else FLOAT32
    stream = FLOAT32 if wide or not half else BFLOAT16
    kept = FLOAT32 * (2 * d + q + k)  # the norms' inputs, in float32
    kept += FLOAT32 * (2 + heads + stack.n_kv_heads)  # and their inverse deviations
    if how == "full":  # what the norms' own weights need
        kept += stream * 2 * d + element * (q + k)
    if how in ("full", "lora"):  # inputs of the linear modules; autocast casts for each of the five anew
        kept += element * ((5 if half else 2) * d + m + (0 if half else q))
    kept += element * 3 * m  # gate, its activation, up
    if half:  # flash: q, k, v, output, and a log-sum a head
        kept += element * (2 * q + 2 * k) + FLOAT32 * heads
    else:  # the matrix itself, and q, k, v as wide as the query heads
        kept += FLOAT32 * (3 * q + heads * width)
    return _Kept(kept, stream * d)


def _passing(stack: Stack) -> float:
    """Elements a position that exist only while the backward pass is within a layer."""
    return 2 * stack.intermediate + stack.hidden
