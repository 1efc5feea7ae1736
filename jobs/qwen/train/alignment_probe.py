"""Check of a model's predictions against the alignment of the training loss, before the first step.

A trained base predicts the next frame better than the one after it, and each codebook of a frame better than the next
codebook. Otherwise it was trained by a misaligned script (upstream's, until at least March 2026, shifts labels twice)
or our layout is wrong for it. Training would then make it worse while the loss falls.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F

from jobs.codec_format import N_CODEBOOKS
from jobs.errors import UserError
from jobs.qwen.train.loss import Predictions, predict
from jobs.qwen.train.sequence_layout import Batch

# A loss above this share of a uniform guess is not informative. Random toys are at 1.00 or above.
INFORMED_BELOW = 0.98

Verdict = Literal["aligned", "inconclusive", "misaligned"]


@dataclass(frozen=True)
class Probe:
    """Mean cross-entropies in nats under the right alignment and under one shifted by one.

    Attributes:
        talker_next: of codebook 0 of the next frame (t + 1).
        talker_after: of the frame after that (t + 2), over the same positions.
        talker_uniform: of a uniform guess, ln(vocabulary).
        predictor_own: of each head's own codebook, codebooks 1 to 14.
        predictor_next: of the codebook after it, by the same heads.
        predictor_uniform: of a uniform guess, ln(codebook size).
    """

    talker_next: float
    talker_after: float
    talker_uniform: float
    predictor_own: float
    predictor_next: float
    predictor_uniform: float

    @property
    def is_finite(self) -> bool:
        """False when the model overflowed its number format."""
        return all(math.isfinite(value) for value in self.as_dict().values())

    @property
    def predictor_is_trained(self) -> bool:
        """True when the code predictor has been trained, with any alignment."""
        return min(self.predictor_own, self.predictor_next) <= INFORMED_BELOW * self.predictor_uniform

    @property
    def verdict(self) -> Verdict:
        """``misaligned`` if either part is, ``inconclusive`` if neither is informative, else ``aligned``."""
        parts = {
            _compare(self.talker_next, self.talker_after, self.talker_uniform),
            _compare(self.predictor_own, self.predictor_next, self.predictor_uniform),
        }
        if "misaligned" in parts:
            return "misaligned"
        return "aligned" if "aligned" in parts else "inconclusive"

    def __str__(self) -> str:
        return (
            f"next frame {self.talker_next:.2f} nats, the frame after it {self.talker_after:.2f}; own codebook "
            f"{self.predictor_own:.2f}, next codebook {self.predictor_next:.2f}"
        )

    def as_dict(self) -> dict[str, float]:
        """Return the figures, for reports."""
        return asdict(self)


class ProbeSums:
    """Sums of a probe over batches whose predictions the caller has computed."""

    def __init__(self) -> None:
        self.sums = torch.zeros(4, dtype=torch.float64)
        self.counts = torch.zeros(4, dtype=torch.float64)
        self._vocabularies = (1, 1)

    def add(self, predictions: Predictions, batch: Batch) -> None:
        """Add a batch."""
        codes = batch.predicted_codes
        talker = predictions.talker.float()[batch.frame_in_labels]
        self._add(0, talker, batch.labels[batch.frame_in_labels])
        self._add(1, talker, batch.labels[batch.frame_in_labels + 1])
        for number in range(1, N_CODEBOOKS - 1):
            logits = predictions.codebook(number).float()
            self._add(2, logits, codes[:, number])
            self._add(3, logits, codes[:, number + 1])
        self._vocabularies = (talker.shape[-1], logits.shape[-1])

    def _add(self, part: int, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self.sums[part] += F.cross_entropy(logits, labels, reduction="none").double().sum().cpu()
        self.counts[part] += len(labels)

    def result(self) -> Probe:
        """Compute the means over all batches."""
        means = (self.sums / self.counts.clamp(min=1)).tolist()
        return Probe(
            talker_next=means[0],
            talker_after=means[1],
            talker_uniform=math.log(self._vocabularies[0]),
            predictor_own=means[2],
            predictor_next=means[3],
            predictor_uniform=math.log(self._vocabularies[1]),
        )


def probe(model: Any, batches: Iterable[Batch]) -> Probe:
    """Score a model on clips under both alignments; the model is not changed."""
    sums = ProbeSums()
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for batch in batches:
            sums.add(predict(model, batch), batch)
    model.train(was_training)
    return sums.result()


def check_base(found: Probe, name: str) -> Literal["aligned", "inconclusive"]:
    """Refuse a base that was trained with misaligned labels.

    Raises:
        UserError: ``base_misaligned``.
    """
    verdict = found.verdict
    if verdict == "misaligned":
        raise UserError(
            "base_misaligned",
            f"{name} predicts the wrong targets: {found}. The first of each pair must be lower. The model was probably "
            "fine-tuned by a script that shifts its labels twice.",
            "Train from the original Qwen/Qwen3-TTS-12Hz base model, or from a voice trained here.",
        )
    return verdict


def _compare(right: float, wrong: float, uniform: float) -> Verdict:
    if min(right, wrong) > INFORMED_BELOW * uniform:
        return "inconclusive"
    return "aligned" if right < wrong else "misaligned"
