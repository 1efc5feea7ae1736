"""Input and output of a rating: measures of a take, faults, verdict. Thresholds are in ``scoring``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.audio.acoustic_features import Prosody
from jobs.rating.instruments.words import WordChange


@dataclass(frozen=True)
class Features:
    """Measures of a take. None: not measured.

    Attributes:
        speaking_rate: in the profile's unit.
        wer: of recognition that expects the text; None where the language cannot be recognised.
        aligns: forced alignment of the text reached the end of the take.
        heard: the text scored above every other text of the batch; None when there was no other.
        another_fits: another text of the batch scored at least as high.
        hit_limit: synthesis was cut off before an end of speech.
        distances: of the instruments, by the code of their fault.
        changes: of single words, the surest first.
    """

    prosody: Prosody
    sim: float
    ovrl: float
    p808: float
    n_words: int
    language: str = "english"
    speaking_rate: float | None = None
    wer: float | None = None
    aligns: bool | None = None
    heard: bool | None = None
    another_fits: bool = False
    hit_limit: bool = False
    distances: Mapping[str, float] = field(default_factory=dict)
    changes: tuple[WordChange, ...] = ()


@dataclass(frozen=True)
class Fault:
    """Fault of a take: a stable code, a sentence with value and limit, the most the rating may be.

    With the cap 5 it is a note: nothing is wrong, but something could not be judged.
    """

    code: str
    reason: str
    cap: float = 5.0


@dataclass(frozen=True)
class Verdict:
    """A rating and its faults, worst first. ``rating`` is what to show; ``uncapped`` ranks checkpoints.

    Parts are 0..1, or None when they could not be judged. With ``is_too_short`` the numbers say nothing: neither words
    nor voice could be judged.
    """

    rating: float
    uncapped: float
    faults: tuple[Fault, ...]
    intelligibility: float | None
    voice: float | None
    sound: float | None
    timing: float | None
    is_too_short: bool = False
