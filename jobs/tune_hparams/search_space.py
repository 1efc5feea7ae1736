"""Search space: ranges of ``start_training``'s arguments, and presets of them. Imports pydantic only."""

from typing import Any, Literal, Self, get_args

from pydantic import Field, ValidationError, model_validator

from jobs.errors import UserError
from jobs.param_types import Strict, Value, find_mark
from jobs.training.params import Params as Training
from jobs.warmup import compute_warmup

Preset = Literal["full", "lora", "1.7b"]
Point = dict[str, Value]

# Decided by the search; every other argument of start_training may be searched or fixed.
RESERVED = frozenset(
    {"manifest", "base_model", "out_dir", "epochs", "max_steps", "validate_every_steps", "early_stop", "export",
     "export_base", "samples", "resume", "preset", "gpu_memory_gb", "extend",
     "keep_exports", "keep_last_state",
     "hyperparams"}
)  # fmt: skip
PLACES = frozenset(name for name, field in Training.model_fields.items() if find_mark(field) is not None)
"""Arguments that name a path or a model: a call gives them itself, where they are held to the allowed folders."""


class Range(Strict):
    """Values of one argument: an interval or a list of choices."""

    name: str = Field(description="An argument of start_training.")
    low: float | None = None
    high: float | None = None
    log: bool = Field(False, description="Logarithmic scale, as for lr.")
    choices: list[Value] = Field(default_factory=list, description="Instead of low and high.")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.choices:
            if self.low is not None or self.high is not None or self.log:
                raise ValueError("give choices, or low and high, not both")
        elif self.low is None or self.high is None or self.low > self.high:
            raise ValueError("needs choices, or low and high with low <= high")
        elif self.log and self.low <= 0:
            raise ValueError("a log range starts above 0")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high of a range without choices."""
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high

    @property
    def is_whole(self) -> bool:
        """The argument takes whole numbers only."""
        annotation = Training.model_fields[self.name].annotation
        return annotation is int or int in get_args(annotation)

    @property
    def ends(self) -> list[Value]:
        """Extreme values; all values of a list of choices."""
        if self.choices:
            return list(self.choices)
        low, high = self.bounds
        return [int(low), int(high)] if self.is_whole else [low, high]

    def holds(self, value: Value) -> bool:
        """Return True if the range contains the value."""
        if self.choices:
            return value in self.choices
        low, high = self.bounds
        return isinstance(value, int | float) and low <= value <= high


def preset_space(name: Preset, trial_steps: int) -> tuple[list[Range], dict[str, Value]]:
    """Return the ranges of a preset and the arguments that it fixes.

    Args:
        name: ``full``: around the only known recipe with a correct loss (lr 5e-6). ``lora``: wide around the rate that
            learns as fast as full training (1e-4), at one alpha, so that it is the same for every rank. ``1.7b``: space
            and memory settings of the original skill.
        trial_steps: length of a trial; limits the warm-up.
    """
    warmup = Range(name="warmup_steps", low=0, high=compute_warmup(trial_steps))
    if name == "full":
        lr = Range(name="lr", low=1e-6, high=2e-5, log=True)
        return [lr, Range(name="gradient_accumulation_steps", choices=[1, 2, 4]), warmup], {"method": "full"}
    if name == "lora":
        ranges = [
            Range(name="lr", low=1e-5, high=5e-4, log=True),
            Range(name="lora_r", choices=[16, 32, 64]),
            Range(name="lora_targets", choices=["attention", "talker", "all"]),
            warmup,
        ]
        return ranges, {"method": "lora"}
    ranges = [
        Range(name="lr", low=1e-6, high=5e-5, log=True),
        Range(name="gradient_accumulation_steps", choices=[8, 16, 32]),
        Range(name="lora_r", choices=[16, 32]),
        Range(name="lora_alpha", choices=[32, 64]),
        Range(name="weight_decay", low=0.0, high=0.1),
        warmup,
    ]
    return ranges, {"method": "lora", "batch_size": 1, "optimizer": "adamw_8bit", "gradient_checkpointing": True}


def check_space(ranges: list[Range], fixed: dict[str, Value], training: dict[str, Any]) -> None:
    """Check names and values by the rules of ``start_training``; raise ``space_invalid``.

    ``training``: further arguments that a valid call needs.
    """
    names = [found.name for found in ranges]
    known = set(Training.model_fields) - RESERVED
    wrong = [name for name in names if name not in known - PLACES] + [name for name in fixed if name not in known]
    if wrong:
        hint = f"Names: {', '.join(sorted(known - PLACES))}."
        raise _invalid(f"{', '.join(wrong)} cannot be searched or fixed", hint)
    if not ranges or len(set(names)) < len(names):
        raise _invalid("it needs at least one range, and each name once", "Give ranges, or leave them to the preset.")
    for found in ranges:
        for value in found.ends:
            try:
                Training.model_validate({**training, **fixed, found.name: value})
            except ValidationError as error:
                reason = error.errors()[0]["msg"]
                raise _invalid(f"{found.name}={value}: {reason}", "Look at start_training's arguments.") from error


def _invalid(reason: str, hint: str) -> UserError:
    return UserError("space_invalid", f"The search space is invalid: {reason}.", hint)
