"""Choice of codes from scores, as ``transformers`` makes it for stock, for several takes at once.

A take's random numbers come from a generator of its own, so they do not depend on the other takes. They are drawn as
``torch.multinomial`` draws them for one take: a take alone gets the codes that stock chooses with its seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from jobs.qwen.speech.decoding_settings import Decoding


@dataclass(frozen=True)
class Choice:
    """Settings of the choice from one distribution.

    Attributes:
        top_k: number of likeliest codes to choose from; those as likely as the last of them count too.
        top_p: probability of the likeliest codes to choose from.
    """

    greedy: bool
    temperature: float
    top_k: int
    top_p: float

    @classmethod
    def of_talker(cls, decoding: Decoding) -> Choice:
        """Return the settings of codebook 0."""
        return cls(decoding.greedy, decoding.temperature, decoding.top_k, decoding.top_p)

    @classmethod
    def of_predictor(cls, decoding: Decoding) -> Choice:
        """Return the settings of codebooks 1 to 15."""
        stock = decoding.to_stock(0)
        return cls(
            not stock["subtalker_dosample"],
            *(stock[f"subtalker_{name}"] for name in ("temperature", "top_k", "top_p")),
        )

    def choose(self, scores: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Choose a code a row.

        Args:
            scores: (rows, codes) float32.
            noise: (rows, codes) of the exponential distribution; not read when greedy.

        Returns:
            (rows, 1) codes.
        """
        if self.greedy:
            return scores.argmax(-1, keepdim=True)
        if self.temperature != 1:
            scores = scores / self.temperature
        if self.top_k < scores.shape[-1]:
            least = scores.topk(self.top_k).values[:, -1:]
            scores = scores.masked_fill(scores < least, -torch.inf)
        if self.top_p < 1:
            scores = _keep_probable(scores, self.top_p)
        return scores.softmax(-1).div_(noise).argmax(-1, keepdim=True)


def _keep_probable(scores: torch.Tensor, top_p: float) -> torch.Tensor:
    """Remove the least likely codes whose probabilities sum to at most ``1 - top_p``, and keep the likeliest."""
    ascending, order = scores.sort(-1)
    removed = ascending.softmax(-1).cumsum(-1) <= 1 - top_p
    removed[:, -1] = False
    return scores.masked_fill(torch.zeros_like(removed).scatter(1, order, removed), -torch.inf)


def penalise(scores: torch.Tensor, penalties: torch.Tensor) -> torch.Tensor:
    """Make codes less likely whose penalty is above one: positive scores are divided, negative ones multiplied."""
    return torch.minimum(scores * penalties, scores / penalties)
