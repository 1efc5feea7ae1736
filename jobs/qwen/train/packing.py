"""Packing of clips one after the other in a single row: no padding, but an explicit attention mask.

Positions restart with each clip; transformers finds the clips by that and masks each one from the others.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from jobs.qwen.train.sequence_layout import Batch


def pack(batch: Batch, lengths: Sequence[int]) -> Batch:
    """Remove the padding of a batch.

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
