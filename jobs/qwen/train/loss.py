"""Training loss, derived from generation: the labels are the tokens that ``generate`` predicts at each position.

- Talker: the hidden state of a position predicts codebook 0 of the next frame. ``sequence_layout`` shifts the labels by
  one; upstream's ``labels=`` argument would shift them again, so it is not used.
- Code predictor: for each frame it reads the hidden state of the position *before* the frame (the one that predicted
  it), then codebooks 0 to 14; its output at codebook i predicts codebook i + 1 through head i, without a shift.
  Upstream's ``forward_sub_talker_finetune`` shifts those labels, so it is not used either.

Source: generate of qwen-tts 0.1.1; upstream issues 179 and 371 describe the effect of the other alignments.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from jobs.codec_format import N_CODEBOOKS
from jobs.qwen.train.fused_functions import LinearCrossEntropy
from jobs.qwen.train.sequence_layout import Batch, embed


@dataclass(frozen=True)
class Predictions:
    """States that the heads turn into logits, which are computed when they are asked for, because they are large.

    Attributes:
        talker_states: (frames + batch, hidden), one row per label of ``Batch.labels``.
        predictor_states: 15 of (n, predictor hidden), for ``Batch.predicted_codes[:, 1:]``; empty if the code predictor
            was skipped.
    """

    talker_states: torch.Tensor
    talker_head: nn.Module
    predictor_states: tuple[torch.Tensor, ...]
    predictor_heads: nn.ModuleList

    @property
    def talker(self) -> torch.Tensor:
        """Logits (frames + batch, talker vocabulary)."""
        logits: torch.Tensor = self.talker_head(self.talker_states)
        return logits

    @property
    def predictor(self) -> torch.Tensor:
        """Logits (n, 15, codebook)."""
        return torch.stack([self.codebook(number) for number in range(1, N_CODEBOOKS)], dim=1)

    def codebook(self, number: int) -> torch.Tensor:
        """Compute the logits (n, codebook) of a codebook from 1 to 15."""
        logits: torch.Tensor = self.predictor_heads[number - 1](self.predictor_states[number - 1])
        return logits


@dataclass(frozen=True)
class LossSums:
    """Summed cross-entropies in nats with their counts, so that batches can be added up exactly.

    Attributes:
        talker: sum over ``n_talker`` labels (frames and EOS).
        predictor: sum over ``n_predictor`` labels (15 codebooks per frame).
    """

    talker: torch.Tensor
    predictor: torch.Tensor
    n_talker: int
    n_predictor: int


def predict(model: Any, batch: Batch, *, with_predictor: bool = True) -> Predictions:
    """Run talker and code predictor over a batch with the true codes as input.

    Args:
        with_predictor: False skips the code predictor, most of the work.
    """
    talker = model.talker
    x, code_embeddings = embed(talker, batch)
    # All ones in spite of padding, which lies to the right, where causal attention does not look. With None,
    # transformers 4.57 would build a full mask to find packed sequences, which is needed for those only.
    mask = torch.ones(x.shape[:2], dtype=torch.long, device=x.device) if batch.positions is None else None
    hidden = talker.model(
        inputs_embeds=x, attention_mask=mask, position_ids=batch.positions, use_cache=False
    ).last_hidden_state
    before = hidden.reshape(-1, hidden.shape[-1])[batch.predict_at]  # (labels, hidden)
    states: tuple[torch.Tensor, ...] = ()
    if with_predictor:
        before_frames = before[batch.frame_in_labels]
        if batch.predicted is not None:
            before_frames, code_embeddings = before_frames[batch.predicted], code_embeddings[batch.predicted]
        states = _predict_codebooks(talker.code_predictor, before_frames, code_embeddings)
    return Predictions(before, talker.codec_head, states, talker.code_predictor.lm_head)


def _predict_codebooks(predictor: Any, before: torch.Tensor, code_embeddings: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Compute the states of codebooks 1 to 15, all in one pass.

    Args:
        before: (frames, hidden), the talker's state at the position before each frame.
        code_embeddings: (frames, 16, hidden), of the frame's own codes.
    """
    x = torch.cat([before[:, None].to(code_embeddings.dtype), code_embeddings[:, : N_CODEBOOKS - 1]], dim=1)
    x = predictor.small_to_mtp_projection(x)
    hidden: torch.Tensor = predictor.model(inputs_embeds=x, use_cache=False).last_hidden_state
    # unbind, because the gradient of each separate slice would be a tensor as large as the whole, mostly zeros
    return hidden.unbind(1)[1:]


def loss_sums(predictions: Predictions, batch: Batch) -> LossSums:
    """Compute the cross-entropies of a batch in float32. Those of a code predictor that was skipped are 0."""
    predictor = torch.zeros((), device=predictions.talker_states.device)
    parts = zip(predictions.predictor_states, predictions.predictor_heads, batch.predicted_codes.t()[1:], strict=False)
    for states, head, labels in parts:
        predictor = predictor + _head_loss(states, head, labels)
    return LossSums(
        talker=_head_loss(predictions.talker_states, predictions.talker_head, batch.labels),
        predictor=predictor,
        n_talker=batch.n_labels,
        n_predictor=len(batch.predicted_codes) * (N_CODEBOOKS - 1),
    )


def _head_loss(states: torch.Tensor, head: nn.Module, labels: torch.Tensor) -> torch.Tensor:
    """Compute the summed cross-entropy of a head's predictions."""
    if type(head) is nn.Linear and head.bias is None and torch.is_grad_enabled():
        return LinearCrossEntropy.apply(states, head.weight, labels)
    return F.cross_entropy(head(states).float(), labels, reduction="sum")  # has an adapter


def total_loss(sums: LossSums, *, n_talker: int, n_predictor: int, code_predictor_weight: float) -> torch.Tensor:
    """Compute the loss to differentiate: mean talker cross-entropy + weight * mean code predictor cross-entropy.

    Args:
        n_talker: talker labels of the whole optimiser step, so that accumulated micro-batches add up to one batch.
    """
    return sums.talker / n_talker + code_predictor_weight * sums.predictor / n_predictor
