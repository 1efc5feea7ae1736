"""How much space a run takes on the disk. Light: no torch."""

from __future__ import annotations

KEPT_CHECKPOINTS = 2


def disk_needed(n_trained: float, export_bytes: float, *, n_exports: int = 1) -> float:
    """Bytes of checkpoints and exports at their most.

    Args:
        n_trained: weights that learn.
        export_bytes: of an exported voice, its codec not counted: that is linked.
        n_exports: best or last weights, or both.
    """
    checkpoint = n_trained * 4 * 3  # float32 weights and Adam's two moments
    best = 2 * n_trained * 4  # the old one goes when the new one is there
    return checkpoint * (KEPT_CHECKPOINTS + 1) + best + export_bytes * n_exports
