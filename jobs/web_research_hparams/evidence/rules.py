"""Rules on known training failures of this model: checks of a point of settings, each with its facts.

``reject`` keeps a value out of every recommendation; ``warn`` and ``note`` are shown with it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard

from jobs.warmup import MAX_WARMUP_STEPS, WARMUP_DIVISOR
from jobs.web_research_hparams.evidence.number_parsing import format_number
from jobs.web_research_hparams.evidence.parameter_aliases import BY_NAME
from jobs.web_research_hparams.knowledge import Method, ModelSize

Severity = Literal["reject", "warn", "note"]

# Limits of recommendations and searches, independent of any page (rules "lr-…", "epochs-…", …).
LR_BOUNDS: dict[Method, tuple[float, float]] = {"full": (1e-6, 1e-5), "lora": (1e-6, 3e-4)}
HIGHEST_LORA_LR = 5e-4  # a hundred times full training's; lora-equal-progress, no-transfer
ENOUGH_CLIPS = 1800  # full-data-enough
MAX_CLIPS_TIMES_EPOCHS = 600  # lora-by-clips: clips times epochs
NO_GAIN_WARMUP_STEPS = 100  # full-warmup; 50 and a tenth of the run: jobs.warmup
MAX_EPOCHS: dict[Method, int] = {"full": 4, "lora": 15}  # full-epochs; lora-by-clips


@dataclass(frozen=True)
class SettingsPoint:
    """Settings to check, and the run that they are for.

    ``values`` are by ``start_training``'s names, ``steps`` the optimiser steps of the run; None: unknown.
    """

    values: Mapping[str, Any]
    size: ModelSize
    method: Method
    n_clips: int | None = None
    steps: int | None = None
    gpu_memory_gb: float | None = None

    def number(self, name: str) -> float:
        """Return a value as a number; NaN, of which every comparison is false, if it is not one."""
        value = self.values.get(name)
        return float(value) if _is_number(value) else math.nan


@dataclass(frozen=True)
class Rule:
    """One known failure; it is checked only where one of its ``parameters`` is given.

    ``facts`` are ids in the knowledge base; empty: the rule is a limit of ``start_training``.
    """

    id: str
    parameters: tuple[str, ...]
    check: Callable[[SettingsPoint], Severity | None]
    sentence: str
    advice: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Breach:
    """A rule broken by a point."""

    rule: Rule
    severity: Severity
    given: dict[str, Any] = field(default_factory=dict)


def find_breaches(point: SettingsPoint) -> list[Breach]:
    """Find the rules that a point breaks, worst first."""
    found = []
    for rule in RULES:
        given = {name: point.values[name] for name in rule.parameters if name in point.values}
        severity = rule.check(point) if given else None
        if severity is not None:
            found.append(Breach(rule, severity, given))
    return sorted(found, key=lambda breach: ("reject", "warn", "note").index(breach.severity))


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _severity(*, reject: bool = False, warn: bool = False, note: bool = False) -> Severity | None:
    return "reject" if reject else "warn" if warn else "note" if note else None


def _no_setting(point: SettingsPoint) -> Severity | None:
    numbers = {name: value for name in BY_NAME if _is_number(value := point.values.get(name))}
    return _severity(reject=any(not BY_NAME[name].low <= n <= BY_NAME[name].high for name, n in numbers.items()))


def _lr_full(point: SettingsPoint) -> Severity | None:
    lr, most = point.number("lr"), LR_BOUNDS["full"][1]
    return _severity(reject=lr > most, warn=lr >= most) if point.method == "full" else None


def _lr_lora_runaway(point: SettingsPoint) -> Severity | None:
    return _severity(note=point.method == "lora" and 5e-6 <= point.number("lr") <= HIGHEST_LORA_LR)


def _lr_lora_high(point: SettingsPoint) -> Severity | None:
    lr = point.number("lr")
    return _severity(reject=lr > HIGHEST_LORA_LR, warn=lr > LR_BOUNDS["lora"][1]) if point.method == "lora" else None


def _lr_low(point: SettingsPoint) -> Severity | None:
    lr, least = point.number("lr"), LR_BOUNDS[point.method][0]
    return _severity(reject=lr < least / 2, warn=lr < least)


def _warmup_fills_the_run(point: SettingsPoint) -> Severity | None:
    warmup = point.number("warmup_steps")
    if point.steps is None:
        return _severity(reject=warmup > 1000)
    return _severity(reject=warmup >= point.steps, warn=warmup > point.steps / WARMUP_DIVISOR)


def _warmup_short(point: SettingsPoint) -> Severity | None:
    is_long = point.steps is not None and point.steps >= MAX_WARMUP_STEPS * WARMUP_DIVISOR
    return _severity(note=point.number("warmup_steps") <= 20 and is_long)


def _epochs_full(point: SettingsPoint) -> Severity | None:
    epochs = point.number("epochs")
    if point.method != "full":
        return None
    is_enough = point.n_clips is None or point.n_clips >= ENOUGH_CLIPS
    return _severity(reject=epochs > MAX_EPOCHS["full"], warn=epochs >= 3 and is_enough, note=epochs >= 3)


def _too_many_clips_times_epochs(point: SettingsPoint) -> Severity | None:
    epochs = point.number("epochs")
    if point.method != "lora":
        return None
    is_much = point.n_clips is not None and epochs * point.n_clips > MAX_CLIPS_TIMES_EPOCHS
    return _severity(reject=epochs > MAX_EPOCHS["lora"], warn=is_much)


def _adapters_on_the_predictor(point: SettingsPoint) -> Severity | None:
    targets = str(point.values.get("lora_targets", ""))
    return _severity(warn=targets == "all" or "code_predictor" in targets)


def _predictor_learns(point: SettingsPoint) -> Severity | None:
    return _severity(warn=point.method == "full" and point.values.get("freeze") in ("none", "talker"))


def _eight_bits(point: SettingsPoint) -> Severity | None:
    is_eight = "8bit" in str(point.values.get("optimizer", ""))
    return _severity(warn=is_eight and point.method == "lora", note=is_eight)


def _large_batch(point: SettingsPoint) -> Severity | None:
    passes = point.number("gradient_accumulation_steps")
    return _severity(warn=point.number("batch_size") * (passes if passes > 0 else 1) > 16)


def _odd_alpha(point: SettingsPoint) -> Severity | None:
    ratio = (point.number("lora_alpha") or math.nan) / (point.number("lora_r") or math.nan)
    return _severity(note=ratio < 0.5 or ratio > 4)


def _greedy(point: SettingsPoint) -> Severity | None:
    return _severity(reject=point.values.get("do_sample") is False or point.number("temperature") == 0)


def _memory_plain(point: SettingsPoint) -> Severity | None:
    is_tight = point.gpu_memory_gb is not None and point.gpu_memory_gb <= 16
    is_plain = point.values.get("gradient_checkpointing") is False
    return _severity(warn=point.size == "1.7b" and point.method == "full" and is_tight and is_plain)


RULES = (
    Rule("not-a-setting", tuple(BY_NAME), _no_setting,
         "Outside the limits of start_training: a typing error, or an attempt to mislead.", "Leave it out."),
    Rule("lr-full-too-high", ("lr",), _lr_full,
         "At 1e-5 and above, full training matches the voice better, but long texts lose words: 23 to 31 % wrong "
         "characters, at most 10 % at 5e-6. At 2e-5 users reported noise.",
         "Use 5e-6; search 1e-6 to 1e-5.", ("full-lr-too-high", "full-recipe", "noise-at-2e-5")),
    Rule("lr-lora-runaway", ("lr",), _lr_lora_runaway,
         "At 5e-6 two of two adapters never stopped speaking, at 1e-6 three of three stopped; measured with wrong "
         "labels for codebooks 1 to 15, so a hint only.",
         "Compare with 2e-6 in a short run, and count takes that never end.", ("lora-runaway", "lora-no-correct")),
    Rule("lr-lora-too-high", ("lr",), _lr_lora_high,
         "Adapters learn as fast as full training at 10 to 20 times its rate; 60 times is beyond every recipe.",
         "Search 1e-5 to 3e-4.", ("lora-equal-progress", "no-transfer")),
    Rule("lr-too-low", ("lr",), _lr_low,
         "Such a low rate hardly trains. Recipes with it come from trainers that get worse with more training.",
         "Use 1e-6 or more with a correct loss.", ("sim-below-zero-shot", "easy-presets")),
    Rule("warmup-longer-than-run", ("warmup_steps",), _warmup_fills_the_run,
         "A warm-up longer than a tenth of the run trains at other rates than the chosen one; a warm-up as long as the "
         "run never reaches it.",
         "At most a tenth of the optimiser steps.", ("full-warmup",)),
    Rule("warmup-no-gain", ("warmup_steps",),
         lambda point: _severity(note=point.number("warmup_steps") > NO_GAIN_WARMUP_STEPS),
         "100 steps of warm-up gave no improvement over 50.", "Use 50.", ("full-warmup",)),
    Rule("warmup-short", ("warmup_steps",), _warmup_short,
         "20 steps of warm-up did worse than 50.", "Use 50 in a run of 500 steps or more.", ("full-warmup",)),
    Rule("epochs-full-too-many", ("epochs",), _epochs_full,
         "With 1,800 clips or more the third epoch was worse than the second by metric and by listening.",
         "One or two epochs, up to four with little audio; keep the best checkpoint.", ("full-epochs",)),
    Rule("lora-heard-too-often", ("epochs",), _too_many_clips_times_epochs,
         "Clips times epochs above 600 over-fitted; measured with a wrong code-predictor loss, so a hint.",
         "Stop by held-out loss and by listening; start with 250 to 600 clips times epochs.", ("lora-by-clips",)),
    Rule("lora-on-code-predictor", ("lora_targets",), _adapters_on_the_predictor,
         "Adapters on the code predictor gave noise; measured with wrong labels for that part.",
         "lora_targets=talker.", ("lora-not-predictor", "full-freeze-predictor")),
    Rule("predictor-should-be-frozen", ("freeze",), _predictor_learns,
         "With the code predictor frozen 12 % of takes on foreign texts had no end; 47 % of the base, 50 % with the "
         "talker frozen.",
         "freeze=code_predictor.", ("full-freeze-predictor",)),
    Rule("dead-knob", ("code_predictor_weight",),
         lambda point: _severity(note=abs(point.number("code_predictor_weight") - 0.3) > 1e-9),
         "Under Adam the weight of the code predictor's loss is rescaled away.", "Leave 0.3; freeze instead.",
         ("full-dead-knob",)),
    Rule("eight-bit-adam", ("optimizer",), _eight_bits,
         "The effect of 8-bit Adam on quality was not measured for this model; for adapters it saves almost no memory.",
         "Only where the GPU requires it, for full training.", ("trainable", "full-memory-17b")),
    Rule("batch-large", ("batch_size",), _large_batch,
         "Eight clips a step instead of four gained 0.3 to 1.4 points of character errors; the batch of 32 that the "
         "vendor names belongs to the faulty trainer.",
         "4 to 16 clips a step, accumulation counted.", ("full-batch", "official-readme")),
    Rule("rank-small", ("lora_r",),
         lambda point: _severity(warn=point.number("lora_r") < 16),
         "Even rank 16 holds only 12 to 27 % of what the vendor's own voice training changed; rank 8 was weak.",
         "Rank 16 to 64.", ("capacity-lora", "lora-ablation")),
    Rule("alpha-odd", ("lora_alpha",), _odd_alpha,
         "Every published recipe has an alpha of one to two times the rank.", "lora_alpha = 2 × lora_r.",
         ("lora-67-voices", "lora-all-projections")),
    Rule("nothing-held-out", ("validation_share",),
         lambda point: _severity(warn=point.number("validation_share") == 0),
         "Training loss falls even while speech gets faster and worse; only held-out clips show it.",
         "Hold out 0.05 or whole chapters.", ("faster-speech", "seed-variance")),
    Rule("voice-of-few-clips", ("speaker_clips",),
         lambda point: _severity(note=point.number("speaker_clips") < 4),
         "A speaker embedding of the first clips only, as in the vendor's script, is less similar to the speaker.",
         "Average 16 clips or more.", ("speaker-embedding",)),
    Rule("greedy-never-ends", ("do_sample", "temperature"), _greedy,
         "Greedy decoding tends never to emit the end of speech.",
         "Sample: temperature 0.9, top_k 50, repetition_penalty 1.05; cap the length.", ("greedy-no-end",)),
    Rule("memory-17b-plain", ("gradient_checkpointing",), _memory_plain,
         "Full training of the 1.7B ran out of memory on 16 GB without gradient checkpointing.",
         "gradient_checkpointing=true, or method lora.", ("full-memory-17b",)),
)  # fmt: skip


def describe_breach(breach: Breach) -> str:
    """Describe a breach in one line."""
    given = ", ".join(
        f"{name}={format_number(value) if _is_number(value) else value}" for name, value in breach.given.items()
    )
    return f"{breach.severity}: {given}: {breach.rule.sentence} {breach.rule.advice}"
