"""Sentences about a run's course: what progress shows while it trains, how it ended, what a stop leaves."""

from collections.abc import Sequence

from jobs.training.loss_history import LossHistory


def describe_progress(history: LossHistory, *, continued_from: int, saved_step: int) -> str:
    """Describe a run that trains: where it went on, its validations, and the step that a kill would leave.

    Args:
        continued_from: step of the checkpoint that it was resumed from; 0: none.
        saved_step: step of the newest checkpoint; 0: none yet.
    """
    parts = ["training" + (f", continued from step {continued_from}" if continued_from else "")]
    if history.best is not None:
        newest, best = history.validations[-1], history.best
        rest = "the best" if best is newest else f"best {best[1]:.4g} at {int(best[0])}"
        parts.append(f"validation {newest[1]:.4g} at {int(newest[0])}, {rest}")
    if saved_step > continued_from:
        parts.append(f"saved at {saved_step}")
    return "; ".join(parts)


def describe_end(
    history: LossHistory, step: int, total_steps: int, extended_at: Sequence[int] = (), *, max_steps: int | None = None
) -> str:
    """Describe how a run ended and where its best validation was.

    Args:
        extended_at: steps from which it went on with more epochs.
        max_steps: what was asked for.
    """
    n_worse = history.count_since_best(max(extended_at, default=0))
    end = f"trained all {total_steps} steps"
    if max_steps is not None and max_steps > total_steps:
        end = f"{end}: the epochs ended before max_steps={max_steps}"
    if step < total_steps:
        end = f"stopped at step {step} of {total_steps}: {n_worse} validations were not better"
    best = "no clip is held out" if history.best is None else f"best at {int(history.best[0])}"
    return f"{end}; {best}"


def describe_stop(step: int) -> str:
    """Describe what a cancelled run leaves."""
    return f"stopped; step {step} is kept, and the same call continues from it"
