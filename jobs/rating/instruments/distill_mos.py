"""DistillMOS: a predictor of the mean opinion score, as a gate for robots and broken codecs.

Never a ranking among good voices: it puts clean synthetic speech above people. Its weights are in its wheel; where the
package is not installed, the rating does without. The network takes segments of 7.68 s: the middle one of a clip is
judged, at a fifth of a CPU-second, since all of a long clip would cost as much as half of the other instruments.
"""

import importlib
import importlib.util
from contextlib import redirect_stdout
from functools import cached_property
from typing import Any

import torch

from jobs.audio.clip_io import SPEECH_RATE_HZ, Samples
from jobs.rating.instruments.instrument import Check, Instrument, falls

UNNATURAL = "unnatural"
SEGMENT = int(7.68 * SPEECH_RATE_HZ)
"""Samples of the network's input."""

DISTILL_MOS = Instrument(
    name="DistillMOS",
    version="distillmos 0.9.1, one segment",
    licence="MIT",
    cost=0.03,
    hears="robots, dropped and repeated codec frames, buzz, codecs, narrow bands, noise",
    does_not_hear="words, flat pitch, slow speech; it rates clean and synthetic above people",
    checks=(
        Check(UNNATURAL, None, falls, 0.7, 1.4,
              "sounds unnatural: DistillMOS {value:.1f} below the narrator (limit {limit:.1f})"),
    ),
)  # fmt: skip


class DistillMos:
    """The network, loaded on first use; one thread."""

    name = DISTILL_MOS.version

    @staticmethod
    def is_installed() -> bool:
        """Return True if the package is there."""
        return importlib.util.find_spec("distillmos") is not None

    @cached_property
    def _network(self) -> Any:
        with redirect_stdout(None):  # it prints where its weights lie
            network: Any = importlib.import_module("distillmos").ConvTransformerSQAModel()
        return network.eval()

    @torch.inference_mode()
    def predict(self, speech: Samples) -> float:
        """Predict the score, 1 to 5, of the middle of mono audio at 16 kHz."""
        start = max(0, (len(speech) - SEGMENT) // 2)
        middle = torch.from_numpy(speech[start : start + SEGMENT].copy())
        return round(float(self._network(middle[None])[0]), 3)
