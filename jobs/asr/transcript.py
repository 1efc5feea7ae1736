"""Words and segments with their times: of a transcript by Whisper, and of an alignment.

Imports pydantic and the standard library only.
"""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

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
    """A part of the audio with its transcript; seconds from the start of the samples, never past their end.

    ``mean_log_probability`` is of the text's tokens; nearer to 0 is surer. ``no_speech_probability``: that the 30 s
    window holds no speech. ``compression_ratio``: of the window's text under zlib; a loop of repeated words compresses
    well. ``words`` have times from Whisper's attention, rougher than ``align``'s.
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


WITHOUT_SPACES = ("zh", "ja")
# Repeats in a row, by the length of what is repeated: "no, no, no, no" is speech, six times is not.
_REPEATS = {1: 6, 2: 4, 3: 4} | dict.fromkeys(range(4, 16), 3)
# Own choice: real narrators were measured at 3.5 words a second and less, fast podcasts stay under 5.
MAX_WORDS_PER_S = 7.0
MAX_CHARACTERS_PER_S = 14.0
_SHORT_S = 0.5  # shorter segments are too roughly timed for a rate


def units(text: str, language: str) -> list[str]:
    """Words in lower case; characters in languages without spaces."""
    return re.findall(r"\w" if language in WITHOUT_SPACES else r"[\w']+", text.lower())


def is_loop(text: str, language: str) -> bool:
    """True when a word or phrase comes again and again without a break."""
    said = units(text, language)
    for length, repeats in _REPEATS.items():
        n_same = 0
        for at in range(length, len(said)):
            n_same = n_same + 1 if said[at] == said[at - length] else 0
            if n_same >= length * (repeats - 1):
                return True
    return False


def is_too_fast(text: str, duration_s: float, language: str) -> bool:
    """True when the text is too long to be spoken in that time."""
    limit = MAX_CHARACTERS_PER_S if language in WITHOUT_SPACES else MAX_WORDS_PER_S
    return len(units(text, language)) > limit * max(duration_s, _SHORT_S)
