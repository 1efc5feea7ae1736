"""Estimate of a training run's peak memory as a sum of parts.

Computed from the model's dimensions: activations saved by autograd, logits, weights, gradients, optimiser state. A test
compares the estimate with the measured peak of the loop's steps on a CPU in float32, within 10 %
(tests/jobs/training/planning/test_memory.py). The export holds one tensor beside the model, less than a step does, so
it is no peak (tests/jobs/qwen/test_export.py). Not measured, for lack of a GPU: half precision, ``CUDA_CONTEXT``,
memory of flash attention, fragmentation, ``torch.compile``, the mask of packed clips, buffers of ``fsdp``.
"""

from dataclasses import dataclass
from typing import Literal

from jobs.codec_format import N_CODEBOOKS
from jobs.training.planning.layer_memory import FLOAT32, HALF, count_temporary, saved_of_layer
from jobs.training.planning.model_dims import ModelDims

Device = Literal["cpu", "cuda", "cuda_float32"]  # the last: a GPU too old for half precision

# CUDA context, cuBLAS workspaces and fragmentation: commonly 0.5 to 0.8 GB. Not measured here.
CUDA_CONTEXT = 800_000_000
# Resident memory of a training worker after all imports, before weights are loaded (measured, torch 2.8, 2026-11-27).
CPU_PROCESS = 1_090_000_000

# Resident memory of a CPU beyond what tensors take, as a share of them: gaps in the heap and the matrix library's
# buffers (2026-11-27). With it the peak of whole runs was 0.96 of the estimate with 63 M weights, full, 1.07 with LoRA,
# and 1.03 with 0.9 G weights, LoRA: ``./run.sh bench full_size``.
CPU_ALLOCATOR_SHARE = 0.2
# The codec of the released models, float32, which samples are decoded with.
CODEC = 682_000_000

# As in ``jobs.qwen.train.fused_functions``, which imports torch; a test compares them.
LOSS_ROWS = 512

# Bytes per weight, gradient and optimiser state; see ``jobs.training.run.optimizer`` and ``jobs.qwen.train.lora``.
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
        ema: the weights are averaged.
        n_shards: processes that divide the talker's layers, full training.
        samples: after the export, sentences are spoken by base and voice; on a CPU.
    """

    method: Literal["full", "lora"] = "full"
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    gradient_checkpointing: bool = False
    accumulates: bool = False
    lora_r: int = 16
    lora_attention: bool = True
    lora_mlp: bool = True
    lora_predictor: bool = False
    lora_dora: bool = False
    freeze: Literal["none", "code_predictor", "talker"] = "none"
    load_in_4bit: bool = False
    attention: Literal["auto", "flash", "efficient", "math"] = "auto"
    ema: bool = False
    n_shards: int = 1
    samples: bool = False


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
        moment: part of a step with the peak: ``forward``, ``loss``, ``predictor backward``, ``talker backward`` or
            ``optimizer``; also ``loading`` before it, on a CPU with the base's file, and there ``samples`` after it.
        parts: contents of the memory at that moment, by name.
    """

    moment: str
    parts: dict[str, float]

    @property
    def peak(self) -> float:
        """Sum of all parts."""
        return sum(self.parts.values())


def estimate(dims: ModelDims, recipe: Recipe, largest: MicroBatchSize, device: Device) -> MemoryEstimate:
    """Estimate the peak of a run: of an optimiser step, of loading, or on a CPU of samples."""
    stages = [estimate_step(dims, recipe, largest, device)]
    if device != "cpu" and recipe.n_shards > 1:  # each process loads and checks the whole base before it is divided
        whole = {"cuda context": float(CUDA_CONTEXT), "weights": float(FLOAT32 * dims.weights)}
        stages.append(MemoryEstimate("loading", whole))
    if device == "cpu":  # a GPU that is full of a sample leaves it out, and the run goes on
        loaded = {"process": float(CPU_PROCESS), "weights": float(FLOAT32 * dims.weights)}
        for stage, part, size in (("loading", "file", HALF * dims.weights), ("samples", "codec", CODEC)):
            if stage != "samples" or recipe.samples:
                stages.append(_with_allocator(MemoryEstimate(stage, {**loaded, part: float(size)}), device))
    return max(stages, key=lambda found: found.peak)


def estimate_step(dims: ModelDims, recipe: Recipe, largest: MicroBatchSize, device: Device) -> MemoryEstimate:
    """Estimate the peak of an optimiser step.

    ``cuda`` is half precision (autocast), the others are float32; attention matrices are kept for short sequences only.
    """
    half, is_sharded = device == "cuda", recipe.n_shards > 1
    trains_talker = recipe.method == "lora" or recipe.freeze != "talker"
    trains_predictor = recipe.lora_predictor if recipe.method == "lora" else recipe.freeze != "code_predictor"
    trained = _count_trained(dims, recipe)
    elsewhere = dims.talker.matrices * (1 - 1 / recipe.n_shards)  # weights that other processes hold
    one_layer = dims.talker.matrices / dims.talker.n_layers
    gradients_talker, gradients_predictor = FLOAT32 * (trained[0] - elsewhere), FLOAT32 * trained[1]

    fixed = {
        "process" if device == "cpu" else "cuda context": float(CPU_PROCESS if device == "cpu" else CUDA_CONTEXT),
        "weights": _weights(dims, recipe, half) - FLOAT32 * elsewhere,
        "weight average": FLOAT32 * (sum(trained) - elsewhere) if recipe.ema else 0.0,
        "optimizer state": (sum(trained) - elsewhere) * STATE_BYTES[recipe.optimizer],
    }

    width = HALF if half else FLOAT32
    talker_how = "none" if not trains_talker else recipe.method
    predictor_how = recipe.method if trains_predictor else "frozen"
    mlp = recipe.lora_mlp
    dora = recipe.lora_dora
    is_wide, common = (
        recipe.method == "full",
        {"mlp": mlp, "dora": dora, "shares_keys": recipe.attention != "efficient"},
    )
    matrix, short_matrix = (largest.width, N_CODEBOOKS) if recipe.attention == "math" else (0, 0)
    talker_layer = saved_of_layer(dims.talker, talker_how, 0, half, wide=is_wide, matrix=matrix, **common)
    predictor_layer = saved_of_layer(
        dims.predictor, predictor_how, N_CODEBOOKS * (device == "cpu"), half, wide=False, matrix=short_matrix, **common
    )
    predicted = largest.predicted * N_CODEBOOKS
    checkpointing = recipe.gradient_checkpointing
    talker = talker_layer.total(largest.positions, dims.talker.n_layers, checkpointing=checkpointing)
    predictor = predictor_layer.total(predicted, dims.predictor.n_layers, checkpointing=checkpointing)
    temporary_copies = 0.0
    if half and recipe.method == "full":  # autocast's copies of the float32 weights, kept for the backward pass
        talker_layers, predictor_layers = (HALF * stack.matrices for stack in (dims.talker, dims.predictor))
        talker += (HALF * dims.talker_matrices - talker_layers * (checkpointing or is_sharded)) * trains_talker
        predictor += HALF * dims.predictor_matrices - predictor_layers * checkpointing
        if checkpointing:  # copies within layers are cached to the end of the forward pass, if the weights are trained
            temporary_copies = talker_layers * trains_talker * (not is_sharded) + predictor_layers * trains_predictor
    if is_sharded:  # whole layers: the present and the next one, and the buffer that they come in
        talker += 3 * one_layer * width
    # the last norms save their input; their outputs go to the heads
    if trains_talker:
        talker += largest.positions * dims.talker.hidden * FLOAT32
    predictor_norm = predicted * dims.predictor.hidden * FLOAT32
    code_embeddings = predicted * dims.talker.hidden * width
    if dims.projection_to_predictor and predictor_how == "full":
        predictor += code_embeddings
    talker_again = largest.positions * talker_layer.per_position if checkpointing else 0.0
    predictor_again = predicted * predictor_layer.per_position if checkpointing else 0.0
    talker_temporary = largest.positions * count_temporary(dims.talker) * width
    if is_sharded:  # a layer's gradients, and the buffer that they are summed in
        talker_temporary += one_layer * (width + FLOAT32)
    predictor_temporary = predicted * count_temporary(dims.predictor) * width

    if dora:  # the norms of a layer's largest matrix: a unit matrix, copies of weights and adapters, their sum
        side = dims.talker.intermediate if mlp else dims.talker.query
        temporary_copies = FLOAT32 * dims.talker.hidden * (dims.talker.hidden + (4 if half else 3) * side)
        talker_temporary += temporary_copies * checkpointing

    # The losses are computed with their gradients, for some labels at a time.
    labels = largest.frames + largest.n_clips
    talker_head = FLOAT32 * dims.vocabulary * dims.talker.hidden * (recipe.method == "full" and trains_talker)
    predictor_heads = FLOAT32 * (N_CODEBOOKS - 1) * dims.codebook * dims.predictor.hidden * (predictor_how == "full")
    head_gradients = float(talker_head + predictor_heads)
    state_gradients = predicted * dims.predictor.hidden * width + labels * dims.talker.hidden * width
    chunk = min(LOSS_ROWS, labels) * dims.vocabulary * (2 * FLOAT32 + (HALF if half else 0))
    accumulated = gradients_talker + gradients_predictor if recipe.accumulates else 0.0

    moments = {
        "forward": {
            "talker activations": talker + temporary_copies,
            "predictor activations": predictor + predictor_norm + 2 * code_embeddings,
            "logits": 0.0,
            "gradients": accumulated,
        },
        "loss": {
            "talker activations": talker + temporary_copies,
            "predictor activations": predictor + 2 * predictor_norm,
            "logits": chunk + state_gradients,
            "gradients": accumulated + head_gradients,
        },
        "predictor backward": {
            "talker activations": talker + largest.positions * dims.talker.hidden * width,
            "predictor activations": predictor + predictor_again + predictor_temporary,
            "logits": state_gradients,
            "gradients": accumulated or head_gradients,
        },
        "talker backward": {
            "talker activations": talker + talker_again + talker_temporary,
            "predictor activations": code_embeddings,
            "logits": 0.0,
            "gradients": accumulated or gradients_predictor + talker_head,
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
    return _with_allocator(MemoryEstimate(moment, {**fixed, **moments[moment]}), device)


def _with_allocator(found: MemoryEstimate, device: Device) -> MemoryEstimate:
    if device != "cpu":
        return found
    held = sum(size for name, size in found.parts.items() if name != "process")
    return MemoryEstimate(found.moment, {**found.parts, "allocator": CPU_ALLOCATOR_SHARE * held})


def trained_weights(dims: ModelDims, recipe: Recipe) -> float:
    """Count the trained weights."""
    return sum(_count_trained(dims, recipe))


def _count_trained(dims: ModelDims, recipe: Recipe) -> tuple[float, float]:
    """Count the trained weights outside the code predictor and in it."""
    if recipe.method == "lora":
        adapters = {"attention": recipe.lora_attention, "mlp": recipe.lora_mlp, "dora": recipe.lora_dora}
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
