"""The narrator's clips: those measured for the profile and those held out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from jobs.audio.mel import Floats
from jobs.dataset.audio_roots import OWN_FOLDER, AudioRoots
from jobs.dataset.manifest import Clip, read_rows
from jobs.dataset.split import DEFAULT_SHARE, SplitRow, inner_indices, sample_evenly, split_clips
from jobs.errors import UserError
from jobs.rating.instruments.instrument import distances, fit_reference
from jobs.rating.instruments.registry import CHECKS
from jobs.rating.instruments.tempo import fit_rates
from jobs.rating.instruments.words import CHANGED, fit_evidence, fit_wrong_words
from jobs.rating.measurements import Measurements, Timbre, rate_unit
from jobs.rating.rating_types import Features
from jobs.rating.scoring import MIN_SPEECH_S, MIN_WORDS
from jobs.speaker.narrator_profile import (
    MIN_PROFILE_CLIPS,
    LengthScores,
    RatingProfile,
    Reference,
    median_of_known,
)
from jobs.speaker.similarity import centroid, compute_sim, leave_one_out

SHORT_LENGTHS_S = (2.0, 4.0)
N_SHORT_CLIPS = 8  # clips that are also measured cut to the short lengths
_LONG_ENOUGH_S = 2.0


@dataclass(frozen=True)
class NarratorClip:
    """A narrator's clip to measure."""

    path: Path
    text: str
    language: str


def read_clips_by_speaker(manifest: Path) -> dict[str, list[Clip]]:
    """Read a manifest's clips by speaker."""
    clips: dict[str, list[Clip]] = {}
    for clip in read_rows(manifest, Clip):
        clips.setdefault(clip.speaker, []).append(clip)
    return clips


def hold_out(clips: Sequence[Clip], limit: int) -> tuple[list[Clip], list[Clip]]:
    """Divide a narrator's clips into those for the profile and at most ``limit`` held out to be rated like takes.

    Held out are clips of the validation split first: the manifest's, else the one that training makes by default. Then
    follow at most a quarter of the others, evenly spread over the inner chapters. Clips long enough for every
    measurement go before shorter ones; ``MIN_PROFILE_CLIPS`` with a text stay for the profile. The returned clips have
    the split that was used.
    """
    if all(clip.split == "train" for clip in clips):
        splits = split_clips(clips, DEFAULT_SHARE)
        clips = [clip.model_copy(update={"split": each}) for clip, each in zip(clips, splits, strict=True)]
    candidates = [clip for clip in clips if is_usable(clip)]
    validation = [clip for clip in candidates if clip.split == "validation"]
    train = [clip for clip in candidates if clip.split == "train"]
    if len(train) < MIN_PROFILE_CLIPS:
        validation, train = [], candidates
    held = sample_evenly(_long_first(validation), limit)
    n_more = min(limit - len(held), len(train) // 4, len(train) - MIN_PROFILE_CLIPS)
    inner = [train[index] for index in inner_indices([SplitRow.from_clip(clip) for clip in train])]
    held += sample_evenly(_long_first(inner), n_more)
    chosen = {id(clip) for clip in held}
    return [clip for clip in clips if id(clip) not in chosen], held


def _long_first(clips: Sequence[Clip]) -> list[Clip]:
    long = [c for c in clips if (c.duration_s or MIN_SPEECH_S) >= MIN_SPEECH_S and len(c.text.split()) >= MIN_WORDS]
    return long or list(clips)


def is_usable(clip: Clip) -> bool:
    """Return True for a clip with a text that is long enough for a speaker embedding."""
    return bool(clip.text.strip()) and (clip.duration_s or _LONG_ENOUGH_S) >= _LONG_ENOUGH_S


def choose_profile_clips(
    clips: Sequence[Clip], manifest: Path, limit: int, roots: AudioRoots = OWN_FOLDER
) -> list[NarratorClip]:
    """Choose at most ``limit`` clips, evenly spread over the manifest; if possible of 2 s or more and with a text.

    Raises:
        UserError: ``narrator_clips_too_few``, ``path_outside_dataset``.
    """
    good = [clip for clip in clips if is_usable(clip)]
    pool = good if len(good) >= MIN_PROFILE_CLIPS else list(clips)
    if len(pool) < MIN_PROFILE_CLIPS:
        raise UserError(
            "narrator_clips_too_few",
            f"{manifest} has {len(pool)} clips of this speaker; a profile needs {MIN_PROFILE_CLIPS}.",
            "Give the train_manifest.jsonl of the narrator's dataset.",
        )
    return [resolve_clip(clip, manifest, roots) for clip in sample_evenly(pool, limit)]


def resolve_clip(clip: Clip, manifest: Path, roots: AudioRoots) -> NarratorClip:
    """Find the audio of a manifest's clip; raise ``path_outside_dataset``."""
    path = roots.find(manifest, manifest.parent, clip.audio)
    return NarratorClip(path, clip.text, clip.language.lower())


def short_lengths(clip_durations_s: Sequence[float], take_durations_s: Sequence[float]) -> list[float]:
    """Choose lengths to which narrator's clips are cut and measured again, because takes are much shorter."""
    usual_s, shortest_s = median(clip_durations_s), min(take_durations_s, default=0.0)
    much_shorter_s = 0.75 * usual_s
    return [s for s in SHORT_LENGTHS_S if s <= much_shorter_s and shortest_s < min(2 * s, much_shorter_s)]


def build_profile(
    measures: Sequence[Measurements], short: dict[float, list[Timbre]], language: str
) -> tuple[RatingProfile, Floats]:
    """Compute medians of whole clips and of clips cut ``short``, by length; and the centroid of the embeddings.

    Raises:
        UserError: ``narrator_clips_too_few`` when fewer than five hold speech.
    """
    spoken = [measure for measure in measures if measure.timbre is not None]
    if len(spoken) < MIN_PROFILE_CLIPS:
        raise UserError(
            "narrator_clips_too_few",
            f"{len(spoken)} of the narrator's {len(measures)} clips hold speech; a profile needs {MIN_PROFILE_CLIPS}.",
            "Give the train_manifest.jsonl of the narrator's dataset.",
        )
    timbres = [measure.timbre for measure in spoken if measure.timbre is not None]
    voices = [np.asarray(timbre.embedding, dtype=np.float32) for timbre in timbres]
    voice = centroid(voices)
    prosodies = [measure.prosody for measure in spoken]
    whole = _score(median(sound.duration_s for sound in prosodies), leave_one_out(voices), timbres)
    shorter = [
        _score(length, [compute_sim(timbre.embedding, voice) for timbre in cut], cut)
        for length, cut in sorted(short.items())
        if cut
    ]
    counted = [m for m in spoken if m.n_words >= MIN_WORDS and m.prosody.speech_span_s >= MIN_SPEECH_S]
    fitted = counted if len(counted) >= MIN_PROFILE_CLIPS else spoken
    profile = RatingProfile(
        n_clips=len(spoken),
        language=language,
        own=(*shorter, whole),
        speaking_rate=median_of_known(measure.speaking_rate for measure in spoken),
        rate_unit=rate_unit(language),
        longest_pause_s=median(sound.longest_pause_s for sound in prosodies),
        pitch_hz=median_of_known(sound.pitch_hz for sound in prosodies),
        wer=median_of_known(measure.wer for measure in counted or spoken),
        references=fit_references(fitted),
        shortest_fitted_s=min(measure.prosody.speech_span_s for measure in fitted),
    )
    return profile, voice


def fit_references(measures: Sequence[Measurements]) -> dict[str, Reference]:
    """Fit the instruments' limits on the narrator's clips."""
    fitted = {
        check.code: fit_reference(check, [each.instruments.get(check.code, []) for each in measures], MIN_PROFILE_CLIPS)
        for check in CHECKS
    }
    references = {code: reference for code, reference in fitted.items() if reference is not None}
    rates = fit_rates([each.speaking_rate for each in measures], MIN_PROFILE_CLIPS)
    wrong = fit_wrong_words([each.wer for each in measures], MIN_PROFILE_CLIPS)
    return references | rates | wrong | {CHANGED: fit_evidence([each.changes for each in measures])}


def _score(length_s: float, sims: Sequence[float], timbres: Sequence[Timbre]) -> LengthScores:
    return LengthScores(
        length_s=length_s,
        sim=median(sims),
        ovrl=median(timbre.ovrl for timbre in timbres),
        p808=median(timbre.p808 for timbre in timbres),
    )


def build_features(
    measured: Measurements, profile: RatingProfile, voice: Floats, *, language: str, hit_limit: bool
) -> Features:
    """Collect the features that ``rate`` needs, except for the comparison with other texts.

    Args:
        measured: of the take.
        profile: of its narrator.
        voice: centroid of the narrator's speaker embeddings.
        language: of the take.
        hit_limit: it was cut off before an end of speech.
    """
    timbre = measured.timbre
    return Features(
        prosody=measured.prosody,
        sim=compute_sim(timbre.embedding, voice) if timbre else 0.0,
        ovrl=timbre.ovrl if timbre else 1.0,
        p808=timbre.p808 if timbre else 1.0,
        n_words=measured.n_words,
        language=language,
        # letters of one language and phones of another cannot be compared
        speaking_rate=measured.speaking_rate if language == profile.language else None,
        wer=measured.wer,
        aligns=measured.aligns,
        hit_limit=hit_limit,
        distances=distances(CHECKS, measured.instruments, profile.references),
        changes=tuple(measured.changes),
    )
