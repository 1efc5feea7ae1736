"""From parameters to a model that is ready to learn: base, clips as examples, adapters or masters, the plan."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from jobs.codec_format import FRAMES_PER_SECOND
from jobs.qwen.devices import limit_cpu_threads
from jobs.qwen.loading import load_base, text_ids
from jobs.qwen.safetensors_io import weight_files
from jobs.qwen.speaker_embedding import speaker_embedding
from jobs.qwen.train.alignment_probe import Probe, check_base, probe
from jobs.qwen.train.lora import add_adapters, quantise
from jobs.qwen.train.sequence_layout import ControlIds, Example, lay_out
from jobs.training.data.dataset import Dataset, TrainingClip
from jobs.training.params import Params
from jobs.training.planning.run_config import make_dealer, resolve
from jobs.training.run.distributed import Team
from jobs.training.run.optim import Freeze, compile_layers, unfreeze_for_full
from jobs.training.run.training_loop import Plan, autocast_on

PROBED_CLIPS = 32

# These change neither the losses nor what is exported, so a run may be resumed with other values.
NOT_IDENTITY = {
    "manifest",
    "base_model",
    "out_dir",
    "speaker",
    "resume",
    "save_every_steps",
    "compile",
    "max_bad_share",
    "samples",
    "rights",
    "preset",
    "hyperparams",
}


@dataclass(frozen=True)
class Trainee:
    """A loaded model and everything it will see.

    Attributes:
        model: stock model, not yet unfrozen.
        ids: its control ids.
        voices: speaker to his (hidden,) float32 embedding, the same in every sequence of the run.
        train: clips to learn.
        validation: clips held out.
        found: what the probe said of the untouched model.
        verdict: of the probe.
    """

    model: Any
    ids: ControlIds
    voices: dict[str, torch.Tensor]
    train: list[Example]
    validation: list[Example]
    found: Probe
    verdict: Literal["aligned", "inconclusive"]


def identify_run(params: Params, dataset: Dataset, base: Path) -> dict[str, Any]:
    """What makes two runs the same run: parameters, data, base weights. Goes into checkpoints and the card."""
    asked = params.model_dump(exclude=NOT_IDENTITY)
    return {
        **asked,
        "speakers": dataset.speakers,
        "manifest_sha256": dataset.manifest_sha256,
        "base_sha256": _digest([base / "config.json", *weight_files(base)]),
    }


def load_trainee(params: Params, dataset: Dataset, base: Path, team: Team) -> Trainee:
    """Load the base, lay the clips out, and ask the untouched base whether it agrees with our alignment.

    Raises:
        UserError: ``base_misaligned``, or what making the speaker embedding raises.
    """
    device = team.device
    # full training needs float32 masters; a frozen base under adapters may stay in half precision on a GPU
    half = params.method == "lora" and device != "cpu" and torch.cuda.is_bf16_supported()
    loaded = load_base(base, device, torch.bfloat16 if half else torch.float32)
    model = loaded.model
    if device == "cpu":
        limit_cpu_threads(sum(parameter.numel() for parameter in model.parameters()))
    voices = {name: speaker_embedding(base, model.config, name, clips) for name, clips in dataset.references.items()}
    model.speaker_encoder = None  # its work is done

    def example(clip: TrainingClip) -> Example:
        return Example(text_ids(loaded, clip.text), clip.codes, clip.language, voices[clip.speaker])

    train = [example(clip) for clip in dataset.train]
    ids = ControlIds.of(model.config)
    probed = [
        lay_out(train[first : first + params.batch_size], ids).to(device)
        for first in range(0, min(len(train), PROBED_CLIPS), params.batch_size)
    ]
    with autocast_on(device)():
        found = probe(model, probed)
    return Trainee(
        model=model,
        ids=ids,
        voices=voices,
        train=train,
        validation=[example(clip) for clip in dataset.validation],
        found=found,
        verdict=check_base(found, params.base_model),
    )


def unfreeze(trainee: Trainee, params: Params) -> Any | None:
    """Make the model learn by the method asked for. Returns the ``PeftModel`` if it is LoRA.

    Raises:
        UserError: ``lora_targets_unknown``.
    """
    model = trainee.model
    torch.manual_seed(params.seed)  # adapters are drawn at random
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
        )
    else:
        unfreeze_for_full(model, freeze_of(params, trainee.found))
    if params.gradient_checkpointing:
        model.talker.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if params.compile:
        compile_layers(model)
    model.train()
    return adapters


def freeze_of(params: Params, found: Probe) -> Freeze:
    """What stays as it is in full training: a trained code predictor, unless told otherwise.

    Freezing it gave the best naturalness and the fewest endless takes, since timbre lives in the talker
    (FelysNeko/qwen3-tts-post-training, STATUS.md, aligned loss). A random predictor has to learn.
    """
    if params.freeze is not None:
        return params.freeze
    return "code_predictor" if found.knows_books else "none"


def make_plan(params: Params, trainee: Trainee, run: dict[str, Any]) -> Plan:
    """Resolve what the parameters leave open."""
    dealer = make_dealer(params, [example.length for example in trainee.train])
    speech_s = sum(len(example.codes) for example in trainee.train) / FRAMES_PER_SECOND
    resolved = resolve(params, dealer, speech_s)
    return Plan(
        dealer=dealer,
        total_steps=resolved.total_steps,
        epochs=resolved.epochs,
        lr=resolved.lr,
        warmup_steps=resolved.warmup_steps,
        run=run,
        schedule=params.lr_schedule,
        max_grad_norm=params.max_grad_norm,
        code_predictor_weight=params.code_predictor_weight,
        predicted_share=params.predictor_share,
        packing=params.packing,
        scoring_batch_size=params.batch_size,
        validate_every_steps=params.validate_every_steps,
        early_stop=params.early_stop,
        save_every_steps=params.save_every_steps,
        seed=params.seed,
    )


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
