"""What is measured on one clip, whether the narrator's or a take: sound, voice, prosody, words.

Nothing is judged here; ``jobs.rating.scoring`` does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from jobs.asr.pocketsphinx_asr import MAX_ALIGN_S, Recogniser
from jobs.asr.wer import heard_words, word_error_rate
from jobs.audio.acoustic_features import Prosody, prosody
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, Samples, read_clip, resample
from jobs.audio.dnsmos import Dnsmos
from jobs.errors import UserError
from jobs.rate_samples.judge_models import Judges, comparable_words
from jobs.text.english_normalization import spoken_words

RECOGNISER = "pocketsphinx-5.1.1 (en-us)"
RECOGNISED = "english"  # the one language whose words can be checked offline


class Timbre(BaseModel):
    """Voice and sound of a stretch of audio."""

    model_config = ConfigDict(frozen=True)

    embedding: list[float]
    ovrl: float
    p808: float

    def sim(self, voice: np.ndarray) -> float:
        """SIM to a unit vector (256,)."""
        return float(np.asarray(self.embedding, dtype=np.float32) @ voice)


class Measures(BaseModel):
    """What was measured on a clip. None: could not be."""

    model_config = ConfigDict(frozen=True)

    prosody: Prosody
    timbre: Timbre | None = None
    n_words: int = 0
    speaking_rate: float | None = None
    wer: float | None = None
    aligns: bool | None = None
    heard_words: str | None = None
    utmos: float | None = None


class Instruments:
    """The models, opened when first needed, one thread each.

    Args:
        distractors: words that the carried recogniser may hear instead of a text's own.
        judges: speaker encoder and recogniser.
    """

    def __init__(self, distractors: Sequence[str], judges: Judges) -> None:
        torch.set_num_threads(1)  # an LSTM of 256 on a few windows: more threads only wait for each other
        self._distractors = distractors
        self._judges = judges
        self._dnsmos: Dnsmos | None = None
        self._recogniser: Recogniser | None = None

    def measure(self, path: Path, text: str, language: str) -> Measures:
        """Measure a clip.

        Args:
            path: the audio.
            text: what it should say; may be empty.
            language: a Qwen language name; without Whisper the words of all but English are only counted by letters.

        Raises:
            UserError: ``audio_missing``, ``audio_unreadable``.
        """
        try:
            audio = read_clip(path, CLIP_RATE_HZ)
        except UserError as error:
            if error.code != "audio_empty":
                raise
            audio = np.zeros(0, np.float32)
        sound = prosody(audio)
        words = comparable_words(text, language)
        if sound.is_silent:
            return Measures(prosody=sound, n_words=len(words))
        speech = resample(audio, CLIP_RATE_HZ, SPEECH_RATE_HZ)
        utmos = self._judges.naturalness.predict(path) if self._judges.naturalness is not None else None
        measures = Measures(prosody=sound, timbre=self.timbre(speech), n_words=len(words), utmos=utmos)
        if not words:
            return measures
        found: dict[str, object] = {"speaking_rate": sum(map(len, words)) / sound.speech_span_s}
        if language == RECOGNISED:
            found = self._heard(speech, words, sound.speech_span_s)
        if self._judges.listener is not None:
            heard = self._judges.listener.hear(speech, language)
            found |= {"wer": word_error_rate(words, heard), "heard_words": " ".join(heard)}
        return measures.model_copy(update=found)

    def timbre(self, speech: Samples) -> Timbre:
        """Voice and sound of mono audio at 16 kHz that is not silent."""
        self._dnsmos = self._dnsmos or Dnsmos()
        mos = self._dnsmos.predict(speech)
        embedding = [round(float(value), 6) for value in self._judges.speaker.encoder.embed(speech)]
        return Timbre(embedding=embedding, ovrl=mos.ovrl, p808=mos.p808)

    def text_scores(self, path: Path, texts: Sequence[str]) -> list[float | None]:
        """How well each English text fits the audio: forced log score a second; None where it cannot fit."""
        speech = read_clip(path, SPEECH_RATE_HZ)
        if len(speech) > MAX_ALIGN_S * SPEECH_RATE_HZ:
            return [None] * len(texts)
        return [self._recognise().forced_score(speech, spoken_words(text)) for text in texts]

    def _heard(self, speech: Samples, words: list[str], speech_span_s: float) -> dict[str, object]:
        recogniser = self._recognise()
        can_align = len(speech) <= MAX_ALIGN_S * SPEECH_RATE_HZ
        found: dict[str, object] = {
            "speaking_rate": len(recogniser.phones(words)) / speech_span_s,
            "aligns": recogniser.align(speech, words) is not None if can_align else None,
        }
        if self._judges.listener is None:
            heard = heard_words(recogniser, speech, words, self._distractors)
            found |= {"wer": word_error_rate(words, heard), "heard_words": " ".join(heard)}
        return found

    def _recognise(self) -> Recogniser:
        self._recogniser = self._recogniser or Recogniser()
        return self._recogniser


def rate_unit(language: str) -> str:
    """Unit of ``speaking_rate``."""
    return "phones/s" if language == RECOGNISED else "letters/s"
