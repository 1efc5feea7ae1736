"""Extension of a run: more epochs from its last state, in its own folder or in a new one.

A finished run keeps its newest checkpoint and the weights of its best validation, unless ``keep_last_state`` is false.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.atomic_io import replacing_folder
from jobs.files.copying import link_tree
from jobs.files.reading import resolve_inside
from jobs.runner.call_text import argument_text

CHECKPOINTS = "checkpoints"
# They decide how long a run lasts and may change between its parts.
LENGTH = frozenset({"epochs", "max_steps", "early_stop"})
_STEP = re.compile(r"step-(\d{6,})")
STATE = "state.pt"
STATE_FILES = re.compile(r"step-\d{6,}/state\.pt|best-\d{6,}\.pt")
"""Paths of the files in a folder of checkpoints."""


def kept_step(out: Path) -> int | None:
    """Return the step of the newest checkpoint of a run's folder; None: it has none, or they are a link out of it."""
    if resolve_inside(out, CHECKPOINTS) is None:
        return None
    return max((step for step, path in list_steps(out / CHECKPOINTS) if (path / STATE).exists()), default=None)


def list_steps(folder: Path) -> list[tuple[int, Path]]:
    """List the folders ``step-000200`` of a folder, by step."""
    found = [(_STEP.fullmatch(path.name), path) for path in folder.glob("step-*")]
    return sorted((int(match[1]), path) for match, path in found if match)


def find_source(extend: str) -> Path:
    """Return the folder of the run that made a voice.

    Raises:
        UserError: ``nothing_to_extend``: its last state is not there.
    """
    voice = Path(extend)
    if not voice.is_absolute() or kept_step(voice.parent) is None:
        raise nothing_to_extend(f"{extend} has no checkpoint beside it", extend)
    return voice.parent


def adopt_state(extend: str, out: Path) -> None:
    """Give a new run's folder the last state of the run that made a voice, unless it has one of its own."""
    if kept_step(out) is None:
        source = find_source(extend)
        with replacing_folder(out / CHECKPOINTS, STATE_FILES) as temporary:
            link_tree(source / CHECKPOINTS, temporary)


def has_other_length(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether two identities of runs differ in their length and in nothing else."""
    differing = {name for name in {*known, *wanted} if known.get(name) != wanted.get(name)}
    return bool(differing) and differing <= LENGTH


def nothing_to_extend(what: str, voice: str) -> UserError:
    """Build the error of a run whose state is gone."""
    return UserError(
        "nothing_to_extend",
        f"{what}: the last state of that run was not kept.",
        f"Train its voice further as a new run: {argument_text('base_model', voice)} and another out_dir.",
    )


def describe_decay(schedule: str, min_share: float) -> str:
    """Describe the learning rate after the warm-up."""
    return schedule + (f" to {100 * min_share:g} % of the peak" if min_share else "")


def describe_schedule(
    schedule: str, warmup_steps: int, total_steps: int, extended_at: list[int], min_share: float = 0.0
) -> str:
    """Describe the learning rate of a run and of its extensions."""
    decay = describe_decay(schedule, min_share)
    whole = f"{warmup_steps} steps of warm-up, then {decay}{' at' if min_share else ' to'} step {total_steps}"
    places = ", ".join(str(step) for step in extended_at)
    return whole + (f"; extended at step {places}, and from there by the longer schedule" if places else "")
