"""Parameters and result of the job kind ``training``: a voice from codes and text."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from jobs.dataset.manifest import check_step
from jobs.errors import UserError
from jobs.param_types import CodedManifest, ConfigPath, InputPath, ModelRef, OutputPath, Strict, Untrusted, rare
from jobs.qwen.model_files import check_model
from jobs.qwen.model_info import check_instruct
from jobs.settings import Settings
from jobs.training import options
from jobs.training.data.codec_match import check_first_rows
from jobs.training.extension import find_source
from jobs.training.log_packages import check_installed

TOY_LIMITS = "The toy has random weights: it shows that the path works; what it speaks is noise."
# full: the best controlled recipe with an aligned loss (FelysNeko/qwen3-tts-post-training, STATUS.md). lora: no value
# was published from a trainer with an aligned loss, so the rate that makes the progress of full training at 5e-6 for
# rank 16 and alpha 32. ``./run.sh bench learning_rates``: 6 times full's at a width of 64, 8 at 192, 10 at 320; a
# separate measurement at 512 found 17. 20 is taken for the released widths of 1024 and 2048.
DEFAULT_LR = {"full": 5e-6, "lora": 1e-4}
TOY_LR = {"full": 5e-3, "lora": 5e-4}  # of random weights; the demo's
DEFAULT_BASE = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
KeptExports = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    Field(pattern="^(|epoch|[1-9][0-9]{0,6})$"),
]
CARD_MEMORY: Any = rare(
    None, gt=0, le=2000, description="Plan for a GPU of this memory, which need not be here: sets the preset."
)
"""Field of the same name and meaning in every tool that plans a training."""

# Parameters that a file must not set: they define the run, and a file that is passed on must not change its paths.
NOT_FOR_A_FILE = frozenset(
    {"manifest", "base_model", "out_dir", "hyperparams", "references", "resume", "rights", "gpu_memory_gb", "extend"}
    | {"encoder_from", "log_to", "n_processes", "fsdp"}
)
ADAPTED_LAYERS = ("attention", "talker", "all")
"""What a file may choose as ``lora_targets``: a regular expression of a stranger's may never come to an end."""


class Params(Strict):
    """Parameters of ``start_training``."""

    HELP_GROUPS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "input": ("speaker", "max_clip_s", "max_bad_share", "validation_share", "rights"),
        "model": (
            "encoder_from",
            "method",
            "freeze",
            "lora_targets",
            "lora_r",
            "lora_alpha",
            "lora_dropout",
            "lora_rslora",
            "lora_dora",
        ),
        "training": (
            *("epochs", "max_steps", "batch_size", "lr", "weight_decay", "warmup_steps", "lr_schedule", "min_lr_share"),
            *("seed", "deterministic", "ema_decay", "sample_weights", "max_grad_norm", "code_predictor_weight"),
            *("predictor_share", "validate_every_steps", "early_stop", "resume", "extend"),
        ),
        "memory": (
            *("preset", "gpu_memory_gb", "batch_tokens", "gradient_accumulation_steps", "n_processes", "packing"),
            *("load_in_4bit", "optimizer", "fsdp", "compile", "gradient_checkpointing"),
            *("dtype", "attention"),
        ),
        "output": (
            "export",
            "keep_exports",
            "keep_last_state",
            "export_base",
            "save_every_steps",
            "speaker_clips",
            "samples",
            "log_to",
        ),
    }

    manifest: CodedManifest = Field(description="Dataset: name, folder, or train_manifest_qwen3.jsonl.")
    base_model: ModelRef = Field(
        DEFAULT_BASE, description="Hub id (default: Qwen/Qwen3-TTS-12Hz-0.6B-Base), folder, a voice, or toy."
    )
    out_dir: OutputPath = Field("", description="Default: voices/<name> in the home.")
    speaker: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_-]{0,39}$",
        description="Name to speak with. Default: the manifest's (all of them).",
    )
    encoder_from: ModelRef | None = rare(
        None,
        description="Model with the speaker encoder, for a CustomVoice or VoiceDesign base, which has none. Default: "
        "the released Base of its size.",
    )
    preset: Literal["8gb", "12gb", "16gb", "24gb", "48gb", "80gb"] | None = Field(
        None, description="GPU memory: sets method, batch, optimizer. Default: this GPU's."
    )
    gpu_memory_gb: float | None = CARD_MEMORY
    hyperparams: ConfigPath | None = Field(None, description="best_config.json of tune_hparams.")
    method: Literal["full", "lora"] = Field(
        "full", description="full: every weight of the talker. lora: adapters, less memory."
    )
    epochs: int | None = Field(None, ge=1, le=1000, description="Default: by hours of audio, 1 to 6.")
    max_steps: int | None = rare(
        None, ge=1, description="Optimiser steps; with epochs too, the run ends by the shorter of both."
    )
    batch_size: int = Field(4, ge=1, le=256, description="Clips per micro-batch.")
    batch_tokens: int | None = rare(
        None,
        ge=64,
        description="Positions per micro-batch instead (12.5 a second and the text): fewer clips where they are long.",
    )
    gradient_accumulation_steps: int = rare(1, ge=1, le=256, description="Forward passes per optimiser step.")
    n_processes: int = rare(1, ge=1, le=64, description="One per GPU; each computes its share of every step.")
    packing: bool = rare(False, description="Clips one after the other instead of padded side by side.")
    lr: float | None = Field(
        None,
        gt=0,
        le=0.1,
        description="Peak learning rate. Default: 5e-6 (full), 1e-4 (lora at alpha 32; less at a larger alpha).",
    )
    weight_decay: float = rare(0.01, ge=0, le=1)
    warmup_steps: int | None = rare(
        None, ge=0, description="Linear warm-up, optimiser steps. Default: 50, but at most a tenth of the run."
    )
    lr_schedule: Literal["cosine", "constant"] = rare("cosine", description="After the warm-up.")
    min_lr_share: float = options.MIN_LR_SHARE
    max_grad_norm: float = rare(1.0, gt=0)
    code_predictor_weight: float = rare(
        0.3,
        ge=0,
        le=10,
        description="Weight of the loss of codebooks 1 to 15; 0 skips their pass, a third to two thirds of a step. "
        "It trains the talker too, also where the code predictor is frozen.",
    )
    predictor_share: float = rare(
        1.0,
        gt=0,
        le=1,
        description="Share of the frames, drawn at random each step, whose codebooks 1 to 15 are trained: faster.",
    )
    freeze: Literal["none", "code_predictor", "talker"] | None = rare(
        None,
        description="full only: part that is not trained. Default: code_predictor for a trained base (keeps speech "
        "natural), none for a random toy.",
    )
    lora_targets: str = rare(
        "talker", description="attention, talker (attention and MLP), all (also the code predictor), or a regex."
    )
    lora_r: int = rare(16, ge=1, le=256)
    lora_alpha: int = rare(32, ge=1, le=1024, description="Scale alpha / r: at one alpha every rank wants the same lr.")
    lora_dropout: float = rare(0.0, ge=0, lt=1)
    lora_rslora: bool = rare(False, description="Scale by alpha / sqrt(r): lower the lr by sqrt(r).")
    lora_dora: bool = options.LORA_DORA
    load_in_4bit: bool = rare(False, description="lora only: the frozen base in 4 bits (QLoRA).")
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = rare(
        "adamw", description="8bit: Adam's state in 8 bits; paged: it may move to main memory."
    )
    fsdp: bool = options.FSDP
    compile: bool = rare(False, description="torch.compile the talker's layers: minutes at first, then faster.")
    gradient_checkpointing: bool = rare(False, description="Recompute activations: less memory, more time.")
    dtype: options.NumberChoice = options.DTYPE
    attention: options.AttentionChoice = options.ATTENTION
    seed: int = rare(0, ge=0)
    deterministic: bool = options.DETERMINISTIC
    ema_decay: float = options.EMA_DECAY
    sample_weights: list[options.SampleWeight] = options.SAMPLE_WEIGHTS
    validate_every_steps: int | None = rare(
        None, ge=1, description="Default: at the end of epochs, of long ones at each quarter."
    )
    early_stop: int = rare(3, ge=0, description="Stop after so many validations without a better one; 0: never.")
    export: Literal["best", "last", "both"] = rare(
        "best", description="Which weights become the voice: of the lowest validation loss, or the last."
    )
    save_every_steps: int = rare(200, ge=1, description="Optimiser steps between resumable checkpoints.")
    keep_exports: KeptExports = rare(
        "", description="Also a voice after every epoch (epoch) or so many steps (a number), to compare by ear."
    )
    keep_last_state: bool = rare(
        True, description="Keep the newest checkpoint after the end: the same call with more epochs goes on from it."
    )
    keep_checkpoints: int = rare(2, ge=1, le=100, description="Newest resumable checkpoints that are kept.")
    checkpoint_optimizer: bool = rare(
        True,
        description="false: checkpoints hold weights only, a third of the size; a resumed run then starts its "
        "optimizer afresh.",
    )
    max_clip_s: float = rare(30.0, gt=0, le=300, description="Longer clips are rejected.")
    max_bad_share: float = rare(0.05, ge=0, le=1, description="Bad lines are left out; a larger share fails the job.")
    validation_share: float = rare(
        0.05, ge=0, le=0.5, description="Held out of speakers with 20 clips or more, where the manifest holds out none."
    )
    references: list[InputPath] = rare(
        default_factory=list, description="Clips for the speaker embedding. Default: ref_audio and speaker_clips."
    )
    speaker_clips: int = rare(16, ge=0, le=200, description="Clips averaged with ref_audio for the speaker embedding.")
    export_base: bool = rare(False, description="Also a base model that clones and can be trained on (2 to 4 GB).")
    samples: int = rare(2, ge=0, le=20, description="Held-out sentences spoken by base and voice for report.html.")
    log_to: list[options.Logger] = options.LOG_TO
    rights: str = rare("", max_length=2000, description="Speaker and extent of consent, for the model card.")
    resume: bool = rare(True, description="Continue from the last checkpoint in out_dir when there is one.")
    extend: ModelRef | None = rare(
        None, description="Voice or job_id of a run to go on from its last state in a new folder, with more epochs."
    )

    @model_validator(mode="after")
    def _fit_the_method(self) -> Self:
        if self.method != "lora" and self.load_in_4bit:
            raise ValueError("load_in_4bit needs method=lora: 4-bit weights cannot be trained")
        if self.extend is not None and not self.resume:
            raise ValueError("extend goes on from a state, and resume=false starts over")
        try:
            re.compile(self.lora_targets)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"lora_targets is neither a preset nor a regular expression: {error}") from error
        options.check_together(self)
        if self.method == "lora" and self.freeze not in (None, "none"):
            raise ValueError("freeze is for method=full; lora_targets selects the layers with adapters")
        return self


def may_be_in_a_file(name: str, value: Any) -> bool:
    """Return whether a file may set an argument of ``start_training`` to a value."""
    return name not in NOT_FOR_A_FILE and (name != "lora_targets" or value in ADAPTED_LAYERS)


class KeptExport(Strict):
    """A voice of a step on the way."""

    step: int
    voice: str
    validation_loss: float | None = None


class Result(Strict):
    """Result of ``start_training``."""

    voice: str = Field(description="Export that stock qwen_tts loads; give it to synthesize.")
    voice_last: str | None = Field(None, description="The last weights, if requested and not the best.")
    voice_ema: str | None = Field(None, description="The averaged weights of the last step, with ema_decay.")
    ema_validation_loss: float | None = None
    adapter: str | None = Field(None, description="LoRA adapter, unmerged.")
    base: str | None = Field(None, description="Base model with the trained weights, if export_base.")
    speaker: Untrusted
    speakers: list[Untrusted] = Field(default_factory=list, description="All voices of the export.")
    steps: int
    voice_step: int = Field(description="Step whose weights the voice has.")
    ended: str = Field("", description="Early or not, and the step of the best validation.")
    schedule: str = Field("", description="Of the learning rate, with the steps at which the run was extended.")
    exports: list[KeptExport] = Field(default_factory=list, description="Voices kept on the way; see keep_exports.")
    first_loss: float
    last_loss: float
    validation_loss: float | None = None
    n_clips: int
    rejected: dict[str, int] = Field(default_factory=dict, description="Bad lines left out, by reason.")
    n_duplicates: int = Field(0, description="Lines left out because they repeat another one.")
    base_check: Literal["aligned", "inconclusive"] = Field(
        description="aligned: the untouched base predicts the next frame better than the one after, as it must."
    )
    plot: str
    keeps: dict[str, str] = Field(
        default_factory=dict, description="What the voice has of its base: preset speakers, speaker encoder, instruct."
    )
    report: str = Field("", description="Page with losses, alignment and samples of base and voice side by side.")
    tensorboard: str


def check(params: Params) -> None:
    """Check that the manifest holds codes and names reference audio; the worker counts bad lines."""
    if optional := [name for name in params.log_to if name != "tensorboard"]:
        check_installed(optional, Settings.from_environment().python("ml"))
    manifest = Path(params.manifest)
    try:
        first = check_step(manifest, "coded")
    except UserError as error:
        if error.code != "manifest_unreadable":
            raise
        first = None
    if first is not None and first.ref_audio is None:
        raise UserError(
            "manifest_wrong_step", f"{manifest} names no ref_audio.", "Make the manifest with convert_codes."
        )
    if Path(params.base_model).is_absolute():
        check_model(Path(params.base_model), params.base_model)
    if params.extend is not None:
        find_source(params.extend)
    if params.encoder_from is not None and Path(params.encoder_from).is_absolute():
        check_model(Path(params.encoder_from), params.encoder_from)
    if first is not None:
        check_first_rows(manifest, params.base_model)
        check_instruct(params.base_model, first.instruct)
