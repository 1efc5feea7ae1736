"""Default warm-up of a training run: one rule for trainings, searches and recommendations. stdlib only."""

# FelysNeko/qwen3-tts-post-training, STATUS.md: 50 steps are better than 20, 100 add nothing. At most a tenth of the
# run, so that a short run reaches its learning rate.
MAX_WARMUP_STEPS = 50
WARMUP_DIVISOR = 10


def compute_warmup(total_steps: int | None) -> int:
    """Compute the warm-up of a run: 50 steps, but at most a tenth of the run; None: its length is unknown."""
    return MAX_WARMUP_STEPS if total_steps is None else min(MAX_WARMUP_STEPS, total_steps // WARMUP_DIVISOR)
