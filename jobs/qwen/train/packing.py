"""Clips one after the other in a single row: no padding, at the price of an explicit attention mask.

Positions start anew with each clip; from that transformers knows the clips apart and masks each for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from jobs.qwen.train.sequence_layout import Batch


def pack(batch: Batch, lengths: Sequence[int]) -> Batch:
    """Take the padding out of a batch.

    Args:
        batch: from ``lay_out``.
        lengths: positions of each of its clips.

    Returns:
        The same clips and labels as one row of ``sum(lengths)`` positions.
    """
    n_clips, width = batch.text.shape
    positions = torch.arange(width).expand(n_clips, width)
    is_real = positions < torch.tensor(lengths)[:, None]
    packed_at = is_real.flatten().cumsum(0) - 1
    return replace(
        batch,
        text=batch.text[is_real][None],
        control_at=packed_at[batch.control_at],
        speaker_at=packed_at[batch.speaker_at],
        frame_at=packed_at[batch.frame_at],
        predict_at=packed_at[batch.predict_at],
        positions=positions[is_real][None],
    )
