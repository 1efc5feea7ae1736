"""Sampling settings of one take. Stock's own defaults; a model's ``generation_config.json`` changes nothing."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Decoding:
    """Sampling settings of talker and code predictor (stock's *subtalker*).

    Attributes:
        greedy: the likeliest code each time, instead of sampling.
        repetition_penalty: of codebook 0; the code predictor has none.
        subtalker_temperature: and the other three of the code predictor; None: as the talker's.
        max_seconds: longest audio.
    """

    greedy: bool = False
    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.05
    subtalker_greedy: bool | None = None
    subtalker_temperature: float | None = None
    subtalker_top_k: int | None = None
    subtalker_top_p: float | None = None
    seed: int = 0
    max_seconds: float = 60.0

    def to_stock(self, max_frames: int) -> dict[str, Any]:
        """Return every keyword of stock's generation that says how to sample; none is left to the model's files."""

        def own(value: Any, otherwise: Any) -> Any:
            return otherwise if value is None else value

        return {
            "do_sample": not self.greedy,
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "repetition_penalty": self.repetition_penalty,
            "subtalker_dosample": not own(self.subtalker_greedy, self.greedy),
            "subtalker_temperature": own(self.subtalker_temperature, self.temperature),
            "subtalker_top_k": own(self.subtalker_top_k, self.top_k),
            "subtalker_top_p": own(self.subtalker_top_p, self.top_p),
            # n new tokens yield at most n - 1 frames; one more than the limit shows that the speech did not end in it
            "max_new_tokens": max_frames + 2,
        }


SAMPLING = tuple(name for name in Decoding.__dataclass_fields__ if name not in ("seed", "max_seconds"))
"""Settings that one call shares between its takes."""
