"""Judgement of takes by the gates of the rating, against the narrator or the voice's usual in this book."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from jobs.asr.wer import distractors
from jobs.audio.mel import Floats
from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.split import sample_evenly
from jobs.errors import UserError
from jobs.rating.judge_models import JudgeModels, SpeakerModel, choose_judge_models
from jobs.rating.measurements import ClipAnalyzer, Measurements, rate_unit
from jobs.rating.narrator_clips import build_features, build_profile, choose_profile_clips, read_clips_by_speaker
from jobs.rating.scoring import GE2E_LIMITS, WORST_OWN_WER, rate
from jobs.settings import Settings
from jobs.speaker.narrator_profile import MIN_PROFILE_CLIPS, LengthScores, RatingProfile
from jobs.text.english_normalization import spoken_words

DOUBTFUL_CAP = 3.5
"""A fault that allows no higher rating makes a take doubtful. What could not be judged has a higher cap."""
TRIMMED = frozenset({"long_tail"})
"""Faults that the assembly removes."""
MOST_PROFILE_CLIPS = 20


@dataclass(frozen=True)
class Judgement:
    """A rating from 1 to 5, and why the take is doubtful; no reasons: it passes."""

    rating: float
    reasons: tuple[str, ...]


class Measure(Protocol):
    """Measures a take that should hold a text."""

    def __call__(self, path: Path, text: str, language: str) -> Measurements:
        """Measure it."""
        ...


@dataclass(frozen=True)
class Judge:
    """Compares takes with a profile; without one, only what needs none is judged."""

    language: str
    profile: RatingProfile | None = None
    voice: Floats | None = None

    def judge(self, measured: Measurements, *, hit_limit: bool) -> Judgement:
        """Judge a take."""
        profile = self.profile or _neutral_profile(measured, self.language)
        voice = np.zeros(1, np.float32) if self.voice is None else self.voice
        timbre = measured.timbre
        if self.voice is None and timbre is not None:
            voice = np.asarray(timbre.embedding, np.float32)
        features = build_features(measured, profile, voice, language=self.language, hit_limit=hit_limit)
        verdict = rate(features, profile, None if self.profile is None else GE2E_LIMITS)
        faults = [fault for fault in verdict.faults if fault.cap <= DOUBTFUL_CAP and fault.code not in TRIMMED]
        return Judgement(verdict.uncapped, tuple(fault.reason for fault in faults))


def judge_end(*, hit_limit: bool) -> Judgement:
    """Judge only whether a take ended by itself."""
    return (
        Judgement(1.0, ("no end of speech before the limit: the take was cut off",)) if hit_limit else Judgement(5, ())
    )


def load_analyzer(texts: Sequence[str], language: str, settings: Settings) -> ClipAnalyzer:
    """Return the measures of a run.

    Args:
        texts: of the passages; words of them are what the bundled recogniser may hear instead of the right ones.
        language: of the takes.
        settings: name the cache in which a Whisper is looked for.
    """
    words = [spoken_words(text) for text in texts[:MOST_PROFILE_CLIPS]] if language == "english" else []
    found = choose_judge_models(settings, has_other_speaker=False)
    return ClipAnalyzer(distractors(words), JudgeModels(SpeakerModel(), found.whisper))


def judge_by_narrator(
    manifest: Path, speaker: str | None, language: str, measure: Measure, settings: Settings,
    before_clip: Callable[[], None],
) -> Judge:  # fmt: skip
    """Return the judge that compares with the narrator's own clips.

    Raises:
        UserError: ``narrator_ambiguous``, ``narrator_clips_too_few``, ``path_outside_dataset``.
    """
    by_speaker = read_clips_by_speaker(manifest)
    name = speaker if speaker in by_speaker else next(iter(by_speaker), None) if len(by_speaker) == 1 else None
    if name is None:
        raise UserError(
            "narrator_ambiguous",
            f"The voice is {speaker!r}, and {manifest} has the speakers {', '.join(by_speaker)}.",
            "Give the manifest of the one narrator that the audiobook should sound like.",
        )
    clips = choose_profile_clips(by_speaker[name], manifest, MOST_PROFILE_CLIPS, AudioRoots.of(settings))
    measured = []
    for clip in clips:
        before_clip()
        measured.append(measure(clip.path, clip.text, clip.language))
    return Judge(language, *build_profile(measured, {}, clips[0].language))


def judge_by_usual(takes: Sequence[Measurements], language: str) -> Judge:
    """Return the judge that compares with what is usual of some takes of the book itself.

    A take whose words are not understood is no reference: a voice that speaks noise would excuse itself.
    """
    spoken = [take for take in takes if take.timbre is not None and (take.wer or 0.0) <= WORST_OWN_WER]
    if len(spoken) < MIN_PROFILE_CLIPS:
        return Judge(language)
    return Judge(language, *build_profile(sample_evenly(spoken, MOST_PROFILE_CLIPS), {}, language))


def _neutral_profile(measured: Measurements, language: str) -> RatingProfile:
    """Return a profile that differs from a take in nothing."""
    timbre = measured.timbre
    own = LengthScores(
        length_s=measured.prosody.duration_s,
        sim=1.0,
        ovrl=timbre.ovrl if timbre else 1.0,
        p808=timbre.p808 if timbre else 1.0,
    )
    return RatingProfile(
        n_clips=0,
        language=language,
        own=(own,),
        speaking_rate=None,
        rate_unit=rate_unit(language),
        longest_pause_s=measured.prosody.longest_pause_s,
    )
