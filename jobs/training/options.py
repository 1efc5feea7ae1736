"""Fields of parameters that practitioners know from other trainers, all off by default."""

from typing import Annotated, Any, Literal

from pydantic import Field

from jobs.param_types import rare

NumberChoice = Literal["auto", "bfloat16", "float16", "float32"]
AttentionChoice = Literal["auto", "flash", "efficient", "math"]
Logger = Literal["tensorboard", "wandb", "trackio"]
SampleWeight = Annotated[str, Field(max_length=80, pattern=r"^[a-z][a-z0-9_-]*=[0-9]{1,3}(\.[0-9]{1,4})?$")]

MIN_LR_SHARE: Any = rare(0.0, ge=0, le=1, description="Share of the peak lr at which the cosine ends.")
LORA_DORA: Any = rare(
    False, description="DoRA: also train the size of each row of the weights. Slower, and more memory."
)
DTYPE: Any = rare(
    "auto",
    description="Number format of the arithmetic on a GPU; trained weights stay float32. auto: bfloat16, else float16.",
)
ATTENTION: Any = rare(
    "auto",
    description="Kernel of the attention. auto: the fastest that torch finds; math: plain matrices, most memory.",
)
DETERMINISTIC: Any = rare(
    False, description="The same numbers each time on the same machine and versions; slower on a GPU."
)
FSDP: Any = rare(
    False,
    description="Divide the talker's layers, gradients and optimizer state among n_processes: full training on several "
    "small GPUs.",
)
EMA_DECAY: Any = rare(
    0.0,
    ge=0,
    lt=1,
    description="Also average the weights over the steps, e.g. 0.999, and write them as voice-ema. 0: no.",
)
SAMPLE_WEIGHTS: Any = rare(
    default_factory=list,
    max_length=100,
    description="How often an epoch has the clips of a speaker or language, as NAME=TIMES: anna=2 german=0.5. Both "
    "multiply; others: once.",
)
LOG_TO: Any = rare(
    default_factory=lambda: ["tensorboard"],
    description="Where losses go. wandb and trackio are packages to install; without a login wandb logs offline.",
)

# Named in a run's identity only where they are used, so that runs of before they existed go on.
ADDED = ("min_lr_share", "lora_dora", "dtype", "attention", "deterministic", "ema_decay", "sample_weights")


def check_together(params: Any) -> None:
    """Refuse combinations of these fields with others that contradict each other.

    Raises:
        ValueError: naming both.
    """
    if params.min_lr_share and params.lr_schedule != "cosine":
        raise ValueError("min_lr_share is for lr_schedule=cosine: a constant rate has no end to fall to")
    if params.lora_dora and (params.method != "lora" or params.load_in_4bit):
        raise ValueError(
            "lora_dora needs method=lora without load_in_4bit: sizes of rounded rows are not those of the export"
        )
    if params.fsdp and (params.n_processes == 1 or params.method != "full" or params.freeze == "talker"):
        raise ValueError("fsdp divides what method=full trains of the talker among n_processes of 2 or more")
    if params.fsdp and (params.optimizer != "adamw" or params.compile):
        raise ValueError("fsdp needs optimizer=adamw, whose state it divides, without compile")
    if params.attention != "auto" and params.compile:
        raise ValueError("attention is chosen by the compiler with compile: leave one of them out")
    if params.attention == "flash" and (params.packing or params.dtype == "float32"):
        raise ValueError("attention=flash takes neither packing, which needs a mask, nor dtype=float32")


def unused_options(params: Any) -> set[str]:
    """Return the names of ``ADDED`` that are at their defaults."""
    fields = type(params).model_fields
    return {name for name in ADDED if getattr(params, name) == fields[name].get_default(call_default_factory=True)}
