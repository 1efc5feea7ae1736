"""Alignment of one clip: its text and audio give words with times, or a rejection."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from jobs.align.aligners import WordAligner
from jobs.align.trim import AlignedClip, trim_to_pauses
from jobs.align.word_boundaries import FRAMES_PER_S, Levels, compute_levels_db, fit_to_audio, words_level_db
from jobs.align.word_mapping import WrittenWord, likeliest_readings, match_spoken, written_words
from jobs.asr.whisperx_alignment import CannotAlign
from jobs.audio.clip_io import SPEECH_RATE_HZ, Samples, read_clip
from jobs.dataset.manifest import LONGEST_READ_S, RejectionError, Word
from jobs.errors import UserError
from jobs.files.reading import hash_file
from jobs.text.multilingual_normalization import CannotSpell

ENTRY_VERSION = 2  # of the journal's entries
MIN_CLIP_S = 0.2
# Readings of a clip, beside the usual one: each is an alignment, and a text may be all numbers. An alignment takes
# about 80 µs for each word and second (pocketsphinx, one core), so that a clip takes a minute at most.
MOST_READINGS, MOST_WORD_SECONDS = 24, 600_000
MOST_WORDS, MOST_WORDS_PER_S = 10, 15  # the fastest speakers reach 10 a second
MIN_WORD_S = 0.01  # one frame of the finer aligner
FRAME_S = 0.02  # of the aligner: a word may end this much after its clip
# Speech that no word covers. Clips of a LibriVox narrator with their whole text have 0.00 s of it; with half
# their words missing at either end 0.23 to 3.4 s (own measurement, 2026-11-22).
MAX_UNCOVERED_S = 0.2
_LEAD_S = 0.1
_QUIETER_DB = 15.0  # than the louder quarter of the words: breath, reverberation and the decay of a word
_ABOVE_NOISE_DB = 6.0  # above the clip's quietest frames: steady noise is no speech
_SILENCE_DBFS = -60.0


def clip_key(audio: Path, text: str, aligner: str, spoken: Sequence[str] | None = None) -> str:
    """Return a hash of all that an alignment depends on: the audio's bytes, the text, its reading, the aligner.

    Raises ``RejectionError``: ``audio_missing``, ``audio_unreadable``.
    """
    digest = hashlib.sha256(f"{ENTRY_VERSION}\n{aligner}\n{text}\n{' '.join(spoken or ())}\n".encode())
    try:
        digest.update(bytes.fromhex(hash_file(audio)))
    except UserError as error:
        raise RejectionError("audio_unreadable", error.message) from error
    except FileNotFoundError as error:
        raise RejectionError("audio_missing", f"there is no file {audio}") from error
    except OSError as error:
        raise RejectionError("audio_unreadable", f"{audio}: {error.strerror}") from error
    return digest.hexdigest()


def align_clip(
    audio: Path, text: str, code: str, aligner: WordAligner, spoken: Sequence[str] | None = None
) -> AlignedClip:
    """Find time and score of every written word of a clip; a clip whose border cuts a word is trimmed.

    Words are as written (without punctuation), inside the clip, none of zero length; next to a pause their edges are
    those of the audio. The score of a number is the mean of its spoken words. Where the clip's border cuts a word, the
    words up to the next pause are removed and the others have times of the part that is kept.

    Raises ``RejectionError``: ``no_text``, ``text_unspeakable``, ``audio_unreadable``, ``too_short``, ``too_long``,
    ``not_aligned``,
    ``words_missing``, ``bad_times``, ``speech_without_text``, ``word_cut``.
    """
    words = _words(text, code)
    try:
        samples = read_clip(audio, SPEECH_RATE_HZ, longest_s=LONGEST_READ_S)
    except UserError as error:
        raise RejectionError("audio_unreadable", error.message) from error
    duration_s = len(samples) / SPEECH_RATE_HZ
    if duration_s < MIN_CLIP_S:
        raise RejectionError("too_short", f"{duration_s:.2f} s; at least {MIN_CLIP_S} s are needed")
    if duration_s > LONGEST_READ_S:
        raise RejectionError("too_long", f"over {LONGEST_READ_S:.0f} s, which is no clip")
    if not np.isfinite(samples).all():
        raise RejectionError("audio_unreadable", f"{audio} has samples that are not numbers")
    n_words = sum(len(word.spoken) for word in words)
    if n_words > MOST_WORDS + MOST_WORDS_PER_S * duration_s:
        raise RejectionError("not_aligned", f"{n_words} words in {duration_s:.1f} s; no speaker is as fast")
    aligned = _find_times(samples, words, spoken, code, aligner)
    _check_times(aligned, duration_s)
    levels = compute_levels_db(samples)
    uncovered_s = uncovered_speech_s(levels, aligned, aligner.tail_s)
    if uncovered_s > MAX_UNCOVERED_S:
        raise RejectionError("speech_without_text", f"{uncovered_s:.2f} s of speech lie outside the words of the text")
    fitted = [
        word.model_copy(update={"end_s": round(min(word.end_s, duration_s), 3)})
        for word in fit_to_audio(levels, aligned)
    ]
    kept = trim_to_pauses(levels, fitted, text, duration_s)
    if kept is None:
        ends = f"{fitted[0].word!r} or {fitted[-1].word!r}"
        raise RejectionError("word_cut", f"the clip's border cuts {ends} in two, and no pause is near")
    return kept


def _find_times(
    samples: Samples, words: list[WrittenWord], spoken: Sequence[str] | None, code: str, aligner: WordAligner
) -> list[Word]:
    """Find the times of the written words, read as recognised or in the likely one that fits best."""
    matched = match_spoken(words, spoken, code) if spoken else None
    if matched is not None:
        return join_spoken_words(matched, _spoken_times(samples, matched, aligner))
    found: list[Word] | None = None
    problem: RejectionError | None = None
    try:
        found = _spoken_times(samples, words, aligner)
    except RejectionError as error:
        problem = error
    cost = len(samples) / SPEECH_RATE_HZ * sum(len(word.spoken) for word in words)
    n_readings = min(MOST_READINGS, int(MOST_WORD_SECONDS / cost))
    for number, reading in islice(likeliest_readings(words, code), n_readings):
        other = [*words[:number], replace(words[number], spoken=reading), *words[number + 1 :]]
        try:
            times = _spoken_times(samples, other, aligner)
        except RejectionError:
            continue
        if found is None or _fit(times) > _fit(found):
            words, found = other, times
    if found is None:
        raise problem or RejectionError("not_aligned", "the words do not fit the audio")
    return join_spoken_words(words, found)


def _spoken_times(samples: Samples, words: Sequence[WrittenWord], aligner: WordAligner) -> list[Word]:
    try:
        return aligner.align(samples, [part for word in words for part in word.spoken])
    except CannotAlign as error:
        raise RejectionError("not_aligned", str(error)) from error


def _fit(words: Sequence[Word]) -> float:
    """Compute the mean score, weighted by duration."""
    weights = [word.end_s - word.start_s for word in words]
    return sum(w * word.score for w, word in zip(weights, words, strict=True)) / max(sum(weights), 1e-9)


def _words(text: str, code: str) -> list[WrittenWord]:
    try:
        words = [word for word in written_words(text, code) if word.spoken]
    except CannotSpell as error:
        raise RejectionError("text_unspeakable", str(error)) from error
    if not words:
        raise RejectionError("no_text", f"there are no words in {text!r}")
    return words


def join_spoken_words(words: Sequence[WrittenWord], spoken: Sequence[Word]) -> list[Word]:
    """Join the times of spoken words to those of the written words.

    Raises ``RejectionError``: ``words_missing`` when the aligner returned other words than the given ones.
    """
    asked = [part for word in words for part in word.spoken]
    if [word.word for word in spoken] != asked:
        raise RejectionError("words_missing", f"{len(asked)} words were given, the aligner returned {len(spoken)}")
    joined, at = [], 0
    for word in words:
        parts = spoken[at : at + len(word.spoken)]
        at += len(word.spoken)
        score = round(sum(part.score for part in parts) / len(parts), 3)
        joined.append(Word(word=word.text, start_s=parts[0].start_s, end_s=parts[-1].end_s, score=score))
    return joined


def _check_times(words: Sequence[Word], duration_s: float) -> None:
    """Check that times ascend and lie within the clip. Raises ``RejectionError``: ``bad_times``."""
    before_s = 0.0
    for word in words:
        if word.start_s < before_s or not word.start_s + MIN_WORD_S <= min(word.end_s, duration_s + FRAME_S):
            raise RejectionError(
                "bad_times", f"{word.word!r} lies at {word.start_s} to {word.end_s} s, after {before_s} s"
            )
        before_s = word.end_s
    if before_s > duration_s + FRAME_S:
        raise RejectionError("bad_times", f"the last word ends at {before_s} s, the clip at {duration_s:.3f} s")


def uncovered_speech_s(levels: Levels, words: Sequence[Word], tail_s: float) -> float:
    """Measure speech that the text lacks: seconds outside the words that are as loud as the words."""
    is_covered = np.zeros(len(levels), bool)
    for word in words:
        first, last = max(0.0, word.start_s - _LEAD_S), word.end_s + _LEAD_S
        is_covered[round(first * FRAMES_PER_S) : round(last * FRAMES_PER_S)] = True
    last_end = round(words[-1].end_s * FRAMES_PER_S)
    is_covered[last_end : last_end + round(tail_s * FRAMES_PER_S)] = True
    if is_covered.all() or not is_covered.any():
        return 0.0
    noise_db = float(np.percentile(levels, 5))
    threshold_db = max(words_level_db(levels, words) - _QUIETER_DB, noise_db + _ABOVE_NOISE_DB, _SILENCE_DBFS)
    return float(np.count_nonzero(levels[~is_covered] > threshold_db)) / FRAMES_PER_S
