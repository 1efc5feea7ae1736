"""Words and segments with their times: of a transcript by Whisper, and of an alignment.

Imports pydantic and the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from jobs.asr.hallucination_filter import is_loop, is_too_fast

# Whisper paper, section 4.5, and the defaults of the reference implementation.
MAX_COMPRESSION_RATIO = 2.4
MIN_MEAN_LOG_PROBABILITY = -1.0
MAX_NO_SPEECH_PROBABILITY = 0.6

Doubt = Literal["hallucination_loop", "too_many_words", "no_speech", "low_confidence"]


class Word(BaseModel):
    """One aligned word; times in seconds from the clip's start; score 0..1, higher is surer."""

    model_config = ConfigDict(extra="allow")

    word: str
    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True)
class TranscribedWord:
    """A word in Whisper's spelling, without spaces; seconds from the start of the samples; probability 0..1."""

    word: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class TranscribedSegment:
    """A part of the audio with its transcript.

    Attributes:
        start_s: seconds from the start of the samples.
        end_s: seconds from the start of the samples, never past their end.
        text: as Whisper writes it, without spaces around it.
        mean_log_probability: of the text's tokens; nearer to 0 is surer.
        no_speech_probability: that the 30 s window holds no speech.
        compression_ratio: of the window's text under zlib; a loop of repeated words compresses well.
        words: with times from Whisper's attention, rougher than ``align``'s.
        language: code of the transcript's language.
    """

    start_s: float
    end_s: float
    text: str
    mean_log_probability: float
    no_speech_probability: float
    compression_ratio: float
    words: tuple[TranscribedWord, ...] = ()
    language: str = "en"

    def doubt(self) -> Doubt | None:
        """Return the reason not to trust the text, or None."""
        if self.compression_ratio > MAX_COMPRESSION_RATIO or is_loop(self.text, self.language):
            return "hallucination_loop"
        if is_too_fast(self.text, self.end_s - self.start_s, self.language):
            return "too_many_words"
        if self.mean_log_probability < MIN_MEAN_LOG_PROBABILITY:
            is_silence = self.no_speech_probability > MAX_NO_SPEECH_PROBABILITY
            return "no_speech" if is_silence else "low_confidence"
        return None
