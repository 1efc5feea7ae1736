"""Measurements of one clip, of the narrator or a take: sound, voice, prosody, words.

``jobs.rating.scoring`` turns them into a rating.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from jobs.asr.pocketsphinx_asr import MAX_ALIGN_S, Fit, Recogniser
from jobs.asr.wer import heard_words, word_error_rate
from jobs.audio.acoustic_features import Prosody, prosody
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, Samples, read_clip
from jobs.audio.dnsmos import Dnsmos
from jobs.audio.resampling import resample
from jobs.errors import UserError
from jobs.rating.instruments.distill_mos import UNNATURAL
from jobs.rating.instruments.instrument import measure_all
from jobs.rating.instruments.registry import CHECKS
from jobs.rating.instruments.signal import Signal
from jobs.rating.instruments.tempo import measure_pauses
from jobs.rating.instruments.words import WordChange, find_changes
from jobs.rating.judge_models import JudgeModels, comparable_words
from jobs.text.english_normalization import spoken_words

RECOGNISER = "pocketsphinx-5.1.1 (en-us)"
RECOGNISED = "english"  # the only language whose words can be checked without Whisper


class Timbre(BaseModel):
    """Speaker embedding and DNSMOS of a clip or a part of it."""

    model_config = ConfigDict(frozen=True)

    embedding: list[float]
    ovrl: float
    p808: float


class Measurements(BaseModel):
    """Measurements of a clip. None: could not be measured."""

    model_config = ConfigDict(frozen=True)

    prosody: Prosody
    timbre: Timbre | None = None
    n_words: int = 0
    speaking_rate: float | None = None
    wer: float | None = None
    aligns: bool | None = None
    heard_words: str | None = None
    utmos: float | None = None
    instruments: dict[str, list[float]] = {}
    changes: list[WordChange] = []


class ClipAnalyzer:
    """Runs the models on clips; each model is loaded on first use and has one thread.

    The bundled recogniser may choose ``distractors`` instead of the text's own words.
    """

    def __init__(self, distractors: Sequence[str], models: JudgeModels) -> None:
        torch.set_num_threads(1)  # an LSTM of 256 units on a few windows gains nothing from more
        self._distractors = distractors
        self._models = models

    def measure(self, path: Path, text: str, language: str) -> Measurements:
        """Measure a clip that should hold a text, which may be empty.

        Without Whisper, words of languages but English give a speaking rate only.

        Raises:
            UserError: ``audio_missing``, ``audio_unreadable``.
        """
        audio = read_clip_or_empty(path, CLIP_RATE_HZ)
        sound = prosody(audio)
        words = comparable_words(text, language)
        if sound.is_silent:
            return Measurements(prosody=sound, n_words=len(words))
        speech = resample(audio, CLIP_RATE_HZ, SPEECH_RATE_HZ)
        utmos = self._models.naturalness.predict(path) if self._models.naturalness is not None else None
        measures = Measurements(
            prosody=sound,
            timbre=self.timbre(speech),
            n_words=len(words),
            utmos=utmos,
            instruments=measure_all(CHECKS, Signal(audio, text)) | self._gate(speech),
        )
        if not words:
            return measures
        found: dict[str, object] = {"speaking_rate": sum(map(len, words)) / sound.speech_span_s}
        heard = None if self._models.whisper is None else self._models.whisper.recognise(speech, language)
        if language == RECOGNISED:
            fit = self._align(speech, words)
            found = self._recognise_english(speech, words, sound.speech_span_s, heard, fit)
            if fit is not None:
                found["instruments"] = measures.instruments | measure_pauses(text, fit.words)
        if heard is not None:
            found |= {"wer": word_error_rate(words, heard), "heard_words": " ".join(heard)}
        return measures.model_copy(update=found)

    def _gate(self, speech: Samples) -> dict[str, list[float]]:
        gate = self._models.gate
        return {} if gate is None else {UNNATURAL: [gate.predict(speech)]}

    def timbre(self, speech: Samples) -> Timbre:
        """Measure speaker embedding and DNSMOS of mono audio at 16 kHz that is not silent."""
        mos = self._dnsmos.predict(speech)
        embedding = [round(float(value), 6) for value in self._models.speaker.encoder.embed(speech)]
        return Timbre(embedding=embedding, ovrl=mos.ovrl, p808=mos.p808)

    def text_scores(self, path: Path, texts: Sequence[str]) -> list[float | None]:
        """Score how well each English text fits the audio: forced-alignment log score per second; None: no fit."""
        speech = read_clip(path, SPEECH_RATE_HZ)
        if not _can_align(speech):
            return [None] * len(texts)
        return [self._recogniser.forced_score(speech, spoken_words(text)) for text in texts]

    def _align(self, speech: Samples, words: list[str]) -> Fit | None:
        return self._recogniser.fit(speech, words) if _can_align(speech) else None

    def _recognise_english(
        self, speech: Samples, words: list[str], speech_span_s: float, heard_freely: list[str] | None, fit: Fit | None
    ) -> dict[str, object]:
        recogniser = self._recogniser
        can_align = _can_align(speech)
        heard = heard_words(recogniser, speech, words, self._distractors)
        witnesses = [heard] if heard_freely is None else [heard, heard_freely]
        return {
            "speaking_rate": len(recogniser.phones(words)) / speech_span_s,
            "aligns": fit is not None if can_align else None,
            "wer": word_error_rate(words, heard),
            "heard_words": " ".join(heard),
            "changes": find_changes(recogniser, speech, words, witnesses, fit) if can_align else [],
        }

    @cached_property
    def _dnsmos(self) -> Dnsmos:
        return Dnsmos()

    @cached_property
    def _recogniser(self) -> Recogniser:
        return Recogniser()


def _can_align(speech: Samples) -> bool:
    return len(speech) <= MAX_ALIGN_S * SPEECH_RATE_HZ


def read_clip_or_empty(path: Path, rate_hz: int) -> Samples:
    """Read a clip; a file without samples gives an empty array."""
    try:
        return read_clip(path, rate_hz)
    except UserError as error:
        if error.code != "audio_empty":
            raise
        return np.zeros(0, np.float32)


def rate_unit(language: str) -> str:
    """Return the unit of ``speaking_rate``."""
    return "phones/s" if language == RECOGNISED else "letters/s"
