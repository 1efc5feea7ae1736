"""What a run leaves written: the card inside the voice, and the report beside it."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jobs.codec_format import FRAMES_PER_SECOND
from jobs.qwen.model_files import CARD
from jobs.runner.provenance import provenance
from jobs.training.data.dataset import Dataset
from jobs.training.params import Params, Result
from jobs.training.run.loss_history import PROBE_COLUMNS, STEP_COLUMNS, VALIDATION_COLUMNS, History
from jobs.training.run.model_setup import Trainee

UNKNOWN_RIGHTS = (
    "Nobody has said whose voice this is and what was consented to. Only use a voice with the consent of the person "
    "it belongs to."
)
_PACKAGES = ("torch", "transformers", "peft", "qwen-tts")


def voice_card(
    params: Params,
    identity: dict[str, Any],
    dataset: Dataset,
    base: Path,
    trainee: Trainee,
    history: History,
    step: int,
) -> dict[str, Any]:
    """``tts_train.json``: how the voice was made, so that it can be made again, and what it was made from."""
    return {
        "made_by": "tts-train",
        "speakers": dataset.speakers,
        "base_model": params.base_model,
        "base_card": _card_of(base),
        "run": identity,
        "n_clips": len(dataset.train),
        "speech_s": sum(len(clip.codes) for clip in dataset.train) / FRAMES_PER_SECOND,
        "languages": sorted({clip.language for clip in dataset.train}),
        "references": {name: [path.name for path in paths] for name, paths in dataset.references.items()},
        "base_check": {"verdict": trainee.verdict, **trainee.found.as_dict()},
        "steps": step,
        "first_loss": history.first_loss,
        "last_loss": history.last_loss,
        "validation_loss": history.validation_loss_at(step),
        "probes": {"columns": PROBE_COLUMNS, "rows": history.probes},
        "packages": {name: version(name) for name in _PACKAGES},
        "rights": params.rights or UNKNOWN_RIGHTS,
        "made_with": provenance("ml"),
    }


def report_of(result: Result, identity: dict[str, Any], trainee: Trainee, history: History) -> dict[str, Any]:
    """``report.json``: the run, its result, the probe of the base, and every loss."""
    return {
        "run": identity,
        "result": result.model_dump(),
        "base_check": {"verdict": trainee.verdict, **trainee.found.as_dict()},
        "losses": {"columns": STEP_COLUMNS, "rows": history.steps},
        "validation": {"columns": VALIDATION_COLUMNS, "rows": history.validations},
        "probes": {"columns": PROBE_COLUMNS, "rows": history.probes},
    }


def _card_of(base: Path) -> dict[str, Any] | None:
    """The card of the voice that training started from, if it was made here: the chain back to the first base."""
    path = base / CARD
    if not path.is_file():
        return None
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card
