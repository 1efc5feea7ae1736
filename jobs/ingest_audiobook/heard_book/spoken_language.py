"""Speech in another language than the one that was named: Whisper would write its translation.

A model that is asked for English text of German speech writes English sentences, and its own figures look sure.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from jobs.asr.model_registry import NAMES, language_code
from jobs.audio.clip_io import SPEECH_RATE_HZ
from jobs.audio.recording import Samples
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import RejectedSpan

MIN_PROBABILITY = 0.8
MIN_SPEECH_S = 5.0  # a shorter window may be a name or a quotation


class LanguageDetector(Protocol):
    """The part of ``jobs.asr.whisper.Transcriber`` that knows languages."""

    def detect_language(self, samples_16k: npt.NDArray[np.float32]) -> tuple[str, float]:
        """Return code and probability of the likeliest language of at most 30 s."""
        ...


def find_other_languages(
    windows: Sequence[Span], audio_16k: Samples, whisper: LanguageDetector, language: str | None
) -> dict[int, RejectedSpan]:
    """Find windows whose speech is in another language than the text is to be.

    Args:
        windows: of the chunk, seconds.
        language: None and ``auto``: any.

    Returns:
        Rejections, by the place of the window.
    """
    code = language_code(language)
    found: dict[int, RejectedSpan] = {}
    for place, window in enumerate(windows if code is not None else ()):
        if window.end_s - window.start_s >= MIN_SPEECH_S:
            first, last = round(window.start_s * SPEECH_RATE_HZ), round(window.end_s * SPEECH_RATE_HZ)
            heard, probability = whisper.detect_language(audio_16k[first:last])
            if heard != code and probability >= MIN_PROBABILITY:
                detail = f"sounds {NAMES[heard]} (probability {probability:.2f}), and language is {language}"
                found[place] = RejectedSpan(window, "other_language", detail)
    return found
