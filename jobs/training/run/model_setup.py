"""Model setup: base model, tokenised clips, base check, and the weights to train."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from jobs.qwen.devices import limit_cpu_threads, torch_dtype
from jobs.qwen.loading import load_base
from jobs.qwen.precision import DeviceInfo, Precision, training_precision
from jobs.qwen.safetensors_io import weight_files
from jobs.qwen.speaker_embedding import encoder_files, speaker_embedding
from jobs.qwen.train.alignment_probe import Probe, check_base, probe
from jobs.qwen.train.arithmetic import check_attention
from jobs.qwen.train.fused_layers import fuse_layers
from jobs.qwen.train.lora import add_adapters, quantise
from jobs.qwen.train.sequence_layout import ControlIds, Example, tokenise_instruct, tokenise_text
from jobs.training.data.changed_copies import VariedExamples
from jobs.training.data.dataset import Dataset, TrainingClip
from jobs.training.options import unused_options
from jobs.training.params import Params
from jobs.training.run.distributed import DistributedGroup
from jobs.training.run.forward import Forward
from jobs.training.run.optimizer import Freeze, compile_layers, unfreeze_for_full
from jobs.training.run.sharding import shard_layers

logger = logging.getLogger(__name__)

PROBED_CLIPS = 32

# These change neither the losses nor the export, so a run may be resumed with other values.
NOT_IDENTITY = {
    "manifest",
    "base_model",
    "encoder_from",
    "out_dir",
    "speaker",
    "resume",
    "save_every_steps",
    "keep_checkpoints",
    "checkpoint_optimizer",
    "compile",
    "max_bad_share",
    "samples",
    "rights",
    "preset",
    "gpu_memory_gb",
    "extend",
    "keep_exports",
    "keep_last_state",
    "hyperparams",
    "log_to",
    "fsdp",
}


@dataclass(frozen=True)
class TrainableModel:
    """A loaded model with its clips.

    Attributes:
        forward: of the upstream model.
        voices: each speaker's (hidden,) float32 embedding, the same in every sequence of the run.
        base_probe: of the model before training.
        base_check: verdict of that probe.
        adapters: the ``PeftModel``, with method ``lora``.
    """

    forward: Forward
    voices: Mapping[str, torch.Tensor]
    train: VariedExamples
    validation: list[Example]
    base_probe: Probe
    base_check: Literal["aligned", "inconclusive"]
    adapters: Any | None = None

    @property
    def model(self) -> Any:
        """The upstream model."""
        return self.forward.model

    @property
    def base_report(self) -> dict[str, Any]:
        """Verdict and figures of the base check, for reports."""
        return {"verdict": self.base_check, **self.base_probe.as_dict()}


def identify_run(params: Params, dataset: Dataset, base: Path, encoder: Path | None = None) -> dict[str, Any]:
    """Collect what identifies a run, for checkpoints and card: parameters, data, weights of base and other encoder."""
    others = {} if encoder is None else {"encoder_sha256": _digest(encoder_files(encoder))}
    return {
        **params.model_dump(exclude=NOT_IDENTITY | unused_options(params)),
        "speakers": dataset.speakers,
        "manifest_sha256": dataset.manifest_sha256,
        "base_sha256": _digest([base / "config.json", *weight_files(base)]),
        **others,
    }


def setup_model(
    params: Params,
    dataset: Dataset,
    base: Path,
    group: DistributedGroup,
    device: DeviceInfo,
    encoder: Path | None = None,
) -> TrainableModel:
    """Load the base, tokenise the clips, check the base, and make the weights of the method trainable.

    Args:
        encoder: folder of the model whose speaker encoder is used; None: the base's own.

    Raises:
        UserError: ``base_misaligned``, ``lora_targets_unknown``, ``dtype_unavailable``, ``attention_unavailable``, or
            an error of the speaker embedding.
    """
    precision = training_precision(device, params.dtype)
    check_attention(params.attention, group.device, torch_dtype(precision))
    loaded, found = _load_and_probe(params, dataset, base, group, precision, encoder)
    if precision.scales_loss and not found.is_finite:
        precision = Precision("float32", f"{base.name} overflows float16, and {device} has no bfloat16 arithmetic")
        del loaded  # its memory is needed
        loaded, found = _load_and_probe(params, dataset, base, group, precision, encoder)
    logger.info("precision: %s", precision)
    verdict = check_base(found, params.base_model)
    logger.info("base check: %s (%s)", verdict, found)
    return TrainableModel(
        forward=loaded.forward,
        voices=loaded.voices,
        train=loaded.train,
        validation=loaded.validation,
        base_probe=found,
        base_check=verdict,
        adapters=_make_trainable(loaded.forward.model, params, found, group, precision),
    )


@dataclass(frozen=True)
class _LoadedModel:
    forward: Forward
    voices: dict[str, torch.Tensor]
    train: VariedExamples
    validation: list[Example]


def _load_and_probe(
    params: Params,
    dataset: Dataset,
    base: Path,
    group: DistributedGroup,
    precision: Precision,
    encoder: Path | None,
) -> tuple[_LoadedModel, Probe]:
    # full training needs float32 weights; a frozen base under adapters may be in half precision
    weights = precision if params.method == "lora" else Precision("float32", "trained weights")
    loaded = load_base(base, group.device, torch_dtype(weights))
    model = loaded.model
    if group.device == "cpu":
        limit_cpu_threads(sum(parameter.numel() for parameter in model.parameters()))
    voices = {
        name: speaker_embedding(base, model.config, name, clips, encoder) for name, clips in dataset.references.items()
    }
    model.speaker_encoder = None  # free its memory

    def example(clip: TrainingClip) -> Example:
        instruct = tokenise_instruct(loaded, clip.instruct)
        return Example(tokenise_text(loaded, clip.text), clip.codes, clip.language, voices[clip.speaker], instruct)

    copies = [clip.copies for clip in dataset.train]
    train = VariedExamples([example(clip) for clip in dataset.train], copies, params.seed)
    forward = Forward(model, ControlIds.from_config(model.config), group.device, precision, params.packing)
    unpacked = Forward(model, forward.ids, group.device, precision)
    batches = [
        unpacked.batch(train, range(first, min(first + params.batch_size, len(train))))
        for first in range(0, min(len(train), PROBED_CLIPS), params.batch_size)
    ]
    with forward.autocast():
        found = probe(model, batches)
    return _LoadedModel(forward, voices, train, [example(clip) for clip in dataset.validation]), found


def _make_trainable(
    model: Any, params: Params, base_probe: Probe, group: DistributedGroup, precision: Precision
) -> Any | None:
    """Make the weights of the method trainable. Returns the ``PeftModel`` of method ``lora``.

    Raises:
        UserError: ``lora_targets_unknown``.
    """
    torch.manual_seed(params.seed)  # for the initial weights of adapters
    adapters = None
    if params.method == "lora":
        if params.load_in_4bit:
            quantise(model)
        adapters = add_adapters(
            model,
            r=params.lora_r,
            alpha=params.lora_alpha,
            dropout=params.lora_dropout,
            targets=params.lora_targets,
            use_rslora=params.lora_rslora,
            use_dora=params.lora_dora,
        )
    else:
        unfreeze_for_full(model, _choose_freeze(params, base_probe))
    if params.gradient_checkpointing:
        model.talker.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if params.compile:
        compile_layers(model)  # the compiler fuses upstream's own operations
    else:
        fuse_layers(model)
    if group.is_sharded:
        shard_layers(model, group, precision)
    model.train()
    return adapters


def _choose_freeze(params: Params, base_probe: Probe) -> Freeze:
    """Choose what full training freezes: a trained code predictor, unless the parameters say otherwise.

    Freezing it gave the best naturalness and the fewest endless takes, because the timbre is in the talker
    (FelysNeko/qwen3-tts-post-training, STATUS.md, aligned loss). A random code predictor has to be trained.
    """
    if params.freeze is not None:
        return params.freeze
    return "code_predictor" if base_probe.predictor_is_trained else "none"


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
