"""English speech against known words, offline: forced alignment and text-conditioned recognition by pocketsphinx.

Not a transcriber: what it hears is always made of words it was given. Measured on real narration (LibriVox, 2026):
word starts within 20 ms on average; recognition of the right text has a median WER of 0.00, of a wrong one 0.97.

Nothing is carried over between utterances: the feature stream starts afresh before each (the noise estimate would
stay otherwise), cepstral means are taken over the utterance (``cmn=batch``), so every result is reproducible.
Only n-gram search and forced alignment are used, whose time is bounded by the audio's length; free grammars can
hang. Beams stay at their defaults: wider ones failed more often.
"""

from __future__ import annotations

import itertools
import math
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pocketsphinx import Decoder

from jobs.audio.clip_io import SPEECH_RATE_HZ, Samples
from jobs.text.g2p import pronounce

MAX_ALIGN_S = 300.0  # 304 s in one pass ran at 28 x real time; it slows with length
MAX_RECOGNISE_S = 60.0
UNEXPLAINED_PER_S = 300.0  # right words of real narration cost about 130 a second, wrong ones over 200
_FRAMES_PER_SECOND = 100
_SOUND_RANGE_DB = 25.0
_LAST_WORD_S = 0.2  # with 0.1 s a letter: above the longest last word of two narrators, e.g. "day" 0.48, "paw" 0.48
_LAST_WORD_S_PER_LETTER = 0.1
_SCORE_SOFTENING = 4.0  # puts the median word of real narration at 0.74 and of wrong text at 0.32 (measured, 2026)


@dataclass(frozen=True)
class AlignedWord:
    """One word found in audio; seconds from the start of the audio.

    ``score``: 0..1, from the mean acoustic log score of its frames; higher is surer. ``log_score``: natural log of the
    acoustic score relative to the best senone of each frame, summed; <= 0.
    """

    word: str
    start_s: float
    end_s: float
    score: float
    log_score: float


@dataclass(frozen=True)
class Fit:
    """Known words found in audio, and the natural log of how well the whole audio fits them; <= 0."""

    words: tuple[AlignedWord, ...]
    log_score: float


class Recogniser:
    """The en-us acoustic model with its 134,000-word dictionary; new words are pronounced by ``pronounce``.

    Making one takes a quarter of a second; keep it for a run.
    """

    def __init__(self) -> None:
        self._decoder: Any = Decoder(lm=None, cmn="batch", loglevel="FATAL")

    def align(self, audio_16k: Samples, words: Sequence[str]) -> list[AlignedWord] | None:
        """Find when each of the known words is spoken, in audio of at most ``MAX_ALIGN_S``.

        None when the decoder did not get to the end with exactly these words. A result is no proof that the words are
        spoken: text shorter than the speech always aligns. Recognise first.
        """
        fit = self.fit(audio_16k, words)
        return None if fit is None else list(fit.words)

    def forced_score(self, audio_16k: Samples, words: Sequence[str]) -> float | None:
        """Log score per second of audio when it is forced to be ``words``; None when it cannot be. See ``fit``."""
        fit = self.fit(audio_16k, words)
        return None if fit is None else fit.log_score * SPEECH_RATE_HZ / len(audio_16k)

    def fit(self, audio_16k: Samples, words: Sequence[str]) -> Fit | None:
        """Align known words and say how well they fit, to compare texts for the same audio.

        The score is that of the whole path, silences and the speech that they swallow included, less
        ``UNEXPLAINED_PER_S`` for sound after the words: of 30 sentences of real narration that lack their first
        word, 14 could pass for right by the words' scores alone, 4 by this one (2026).
        """
        if not words or not len(audio_16k):
            return None
        if len(audio_16k) > MAX_ALIGN_S * SPEECH_RATE_HZ:
            raise ValueError(f"{len(audio_16k) / SPEECH_RATE_HZ:.0f} s is more than {MAX_ALIGN_S:.0f} s to align")
        self._learn(words)
        self._decoder.set_align_text(" ".join(words))
        _hear(self._decoder, audio_16k)
        path = self._decoder.hyp()
        if path is None:
            return None
        found = [_aligned(segment) for segment in self._decoder.seg() if not _is_filler(segment)]
        if [aligned.word for aligned in found] != list(words):
            return None
        # the binding returns the 1024th root of the path's probability (measured against the words' scores)
        log_score = math.log(max(path.best_score, 1e-300)) * 1024
        return Fit(tuple(found), log_score - UNEXPLAINED_PER_S * unexplained_s(audio_16k, found))

    def recognise(self, audio_16k: Samples, words: Sequence[str], distractors: Iterable[str] = ()) -> list[str]:
        """Recognise once with a decoder that knows only this text; see ``TextRecogniser``."""
        return self.for_text(words, distractors).recognise(audio_16k)

    def for_text(self, words: Sequence[str], distractors: Iterable[str] = ()) -> TextRecogniser:
        """A small, fast decoder (tens of milliseconds to make) for audio that should say these words, in order."""
        vocabulary = sorted({*words, *distractors})
        return TextRecogniser(self._dictionary(vocabulary), bigram_model(words, vocabulary))

    def for_model(self, vocabulary: Sequence[str], follows: dict[str, dict[str, float]]) -> TextRecogniser:
        """A decoder of words of which each may be followed by some others, with their probabilities."""
        weights = dict.fromkeys([*vocabulary, "</s>"], 1.0)
        return TextRecogniser(self._dictionary(vocabulary), arpa(vocabulary, weights, follows, _STRICT_BACK_OFF))

    def _dictionary(self, vocabulary: Sequence[str]) -> list[str]:
        self._learn(vocabulary)
        return [
            f"{word}{'' if number == 1 else f'({number})'} {phones}"
            for word in vocabulary
            for number, phones in enumerate(self._pronunciations(word), 1)
        ]

    def phones(self, words: Sequence[str]) -> list[str]:
        """CMU phones of the words in order, first pronunciation each."""
        self._learn(words)
        return [phone for word in words for phone in self._pronunciations(word)[0].split()]

    def knows(self, word: str) -> bool:
        """Return whether the dictionary has a word in lower case, or has learnt it."""
        return self._decoder.lookup_word(word) is not None

    def _learn(self, words: Iterable[str]) -> None:
        new = [word for word in dict.fromkeys(words) if self._decoder.lookup_word(word) is None]
        for word in new:
            # update=True rebuilds every search: once, with the last word
            self._decoder.add_word(word, " ".join(pronounce(word)), word == new[-1])

    def _pronunciations(self, word: str) -> list[str]:
        found = [self._decoder.lookup_word(word)]
        while (other := self._decoder.lookup_word(f"{word}({len(found) + 1})")) is not None:
            found.append(other)
        return found


class TextRecogniser:
    """A decoder whose dictionary holds the words of one text and whose bigram prefers their order.

    Make it with ``Recogniser.for_text``.
    """

    def __init__(self, dictionary: Sequence[str], language_model: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            words_file, model_file = Path(folder) / "words.dict", Path(folder) / "text.arpa"
            words_file.write_text("\n".join(dictionary) + "\n")
            model_file.write_text(language_model)
            self._decoder: Any = Decoder(
                dict=str(words_file), lm=str(model_file), fwdflat=False, cmn="batch", loglevel="FATAL"
            )

    def recognise(self, audio_16k: Samples) -> list[str]:
        """Words heard in mono float32 audio at 16 kHz of at most ``MAX_RECOGNISE_S``; may be empty."""
        if len(audio_16k) > MAX_RECOGNISE_S * SPEECH_RATE_HZ:
            raise ValueError(f"more than {MAX_RECOGNISE_S:.0f} s to recognise at once")
        if not len(audio_16k):
            return []
        _hear(self._decoder, audio_16k)
        heard = self._decoder.hyp()
        return [_plain(word) for word in heard.hypstr.split()] if heard is not None else []


def unexplained_s(audio_16k: Samples, found: Sequence[AlignedWord]) -> float:
    """Seconds of sound, within 25 dB of the loud parts, that no word covers.

    The last word covers no more than it can take: it may be drawn out over all that follows for next to nothing.
    """
    step = SPEECH_RATE_HZ // _FRAMES_PER_SECOND
    n_frames = len(audio_16k) // step
    if n_frames == 0:
        return 0.0
    power = np.mean(np.square(audio_16k[: n_frames * step].reshape(n_frames, step)), axis=1) + 1e-12
    is_sound = power > np.percentile(power, 95) * 10 ** (-_SOUND_RANGE_DB / 10)
    for word in found:
        end_s = word.end_s
        if word is found[-1]:
            end_s = min(end_s, word.start_s + _LAST_WORD_S + _LAST_WORD_S_PER_LETTER * len(word.word))
        is_sound[round(word.start_s * _FRAMES_PER_SECOND) : round(end_s * _FRAMES_PER_SECOND)] = False
    return float(np.count_nonzero(is_sound)) / _FRAMES_PER_SECOND


def _hear(decoder: Any, audio_16k: Samples) -> None:
    with warnings.catch_warnings():
        # deprecated as "unnecessary" in 5.1.1, yet without it the noise estimate of the utterance before stays,
        # and results depend on what was heard earlier (our test holds this)
        warnings.simplefilter("ignore", DeprecationWarning)
        decoder.start_stream()
    decoder.start_utt()
    decoder.process_raw((np.clip(audio_16k, -1.0, 1.0) * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()


def _plain(word: str) -> str:
    return re.sub(r"\(\d+\)$", "", word)


def _is_filler(segment: Any) -> bool:
    return bool(segment.word.startswith(("<", "[")))


def _log_score(segment: Any) -> float:
    return math.log(max(segment.ascore, 1e-300))  # the binding returns the probability itself


def _aligned(segment: Any) -> AlignedWord:
    log_score = _log_score(segment)
    n_frames = segment.end_frame + 1 - segment.start_frame
    return AlignedWord(
        word=_plain(segment.word),
        start_s=segment.start_frame / _FRAMES_PER_SECOND,
        end_s=(segment.end_frame + 1) / _FRAMES_PER_SECOND,
        score=math.exp(log_score / n_frames / _SCORE_SOFTENING),
        log_score=log_score,
    )


_STRICT_BACK_OFF = 1e-3  # of a model whose words are followed by given ones
_TEXT_WEIGHT = 0.7  # of the bigram against the unigram: median WER 0.00 of the right text, 0.97 of another (2026)


def bigram_model(words: Sequence[str], vocabulary: Sequence[str]) -> str:
    """ARPA text of a bigram of ``words`` in order, smoothed with a unigram of ``vocabulary``."""
    weights = dict.fromkeys(vocabulary, 1.0)
    for word in words:
        weights[word] += 3.0
    weights["</s>"] = 3.0
    follows: dict[str, Counter[str]] = {}
    sentence = ["<s>", *words, "</s>"]
    for first, second in itertools.pairwise(sentence):
        follows.setdefault(first, Counter())[second] += 1
    shares = {
        first: {second: _TEXT_WEIGHT * count / sum(seconds.values()) for second, count in seconds.items()}
        for first, seconds in follows.items()
    }
    return arpa(vocabulary, weights, shares, 1 - _TEXT_WEIGHT)


def arpa(
    vocabulary: Sequence[str], weights: dict[str, float], follows: dict[str, dict[str, float]], back_off: float
) -> str:
    """ARPA text of a bigram; ``weights`` are of the unigram, ``back_off`` that of each word that others follow."""
    total = sum(weights.values())
    log_back_off = f"{math.log10(back_off):.4f}"
    lines = ["\\data\\", f"ngram 1={len(vocabulary) + 2}", f"ngram 2={sum(map(len, follows.values()))}", ""]
    lines += ["\\1-grams:", f"-99 <s> {log_back_off}"]
    for word in [*vocabulary, "</s>"]:
        lines.append(f"{math.log10(weights[word] / total):.4f} {word} {log_back_off if word in follows else 0}")
    lines += ["", "\\2-grams:"]
    for first, seconds in follows.items():
        for second, share in seconds.items():
            lines.append(f"{math.log10(share):.4f} {first} {second}")
    return "\n".join([*lines, "", "\\end\\", ""])
