"""Measurement of one clip, by signal metrics and models that a process opens once. Nothing is judged here."""

import base64
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from jobs.asr.text_discrimination import another_text_fits
from jobs.asr.wer import distractors, heard_words, word_error_rate
from jobs.audio.acoustic_features import prosody
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, read_clip
from jobs.audio.mel import Floats
from jobs.audio.resampling import resample
from jobs.dataset.quality.signal_metrics import SIGNAL_NAMES, measure_signal
from jobs.errors import UserError
from jobs.text.english_normalization import spoken_words

EMBEDDING_SIZE = 256  # of a speaker
VERSION = 1  # of what is measured; part of the key under which it is remembered
RECOGNISED = "english"  # the one language whose phones a dictionary knows offline; letters are counted elsewhere


@dataclass(frozen=True)
class Task:
    """A clip to measure; ``language`` is a Qwen language name.

    ``instrument``: ``sound`` for all that is ``Measured``, ``mos`` for DNSMOS, ``text`` for its text heard; ``others``:
    texts that the audio of a short clip must fit worse.
    """

    path: Path
    text: str
    language: str
    instrument: Literal["sound", "mos", "text"] = "sound"
    others: tuple[str, ...] = ()


class Measured(BaseModel):
    """Measures of a clip.

    Attributes:
        values: by name, as in the manifest's ``quality``; empty when there is no sound.
        n_units: phones (English) or letters of the text, 0 without one.
        n_words: of the text.
        speech_span_s: from first to last speech.
        pitch_hz: median F0.
        voice: speaker embedding (256,), float16 in base64; None for a silent clip.
    """

    model_config = ConfigDict(frozen=True)

    values: dict[str, float]
    n_units: int = 0
    n_words: int = 0
    speech_span_s: float = 0.0
    pitch_hz: float | None = None
    voice: str | None = None

    @functools.cached_property
    def embedding(self) -> Floats | None:
        """The speaker embedding."""
        if self.voice is None:
            return None
        return np.frombuffer(base64.b64decode(self.voice), np.float16).astype(np.float32)


class _Mos(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ovrl: float
    bak: float
    p808: float


class _TextMatch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text_match: float = Field(ge=0, le=1)
    other_fits: bool = True


def is_measure(task: Task, entry: Any) -> bool:
    """Return whether a value of a journal, which lies in the dataset, is what ``measure`` returns for a task."""
    models: dict[str, type[BaseModel]] = {"sound": Measured, "mos": _Mos, "text": _TextMatch}
    try:
        found = models[task.instrument].model_validate(entry)
        if not isinstance(found, Measured):
            return True
        n_values = None if found.voice is None else len(base64.b64decode(found.voice, validate=True)) // 2
    except ValueError:  # also pydantic's
        return False
    return n_values in (None, EMBEDDING_SIZE) and set(found.values) in (set(), SIGNAL_NAMES)


def measure(task: Task) -> dict[str, object]:
    """Measure a clip; what comes back is what the journal keeps.

    Raises ``UserError``: the clip is gone or cannot be read.
    """
    if task.instrument == "text":
        return _text_match(task)
    if task.instrument == "mos":
        mos = _dnsmos().predict(read_clip(task.path, SPEECH_RATE_HZ))
        return {"ovrl": round(mos.ovrl, 3), "bak": round(mos.bak, 3), "p808": round(mos.p808, 3)}
    return _measured(task).model_dump()


def _measured(task: Task) -> Measured:
    try:
        audio = read_clip(task.path, CLIP_RATE_HZ)
    except UserError as error:
        if error.code != "audio_empty":
            raise
        return Measured(values={})
    about = prosody(audio)
    if about.is_silent:
        return Measured(values={})
    n_units, n_words = _units(task.text, task.language)
    embedding = _encoder().embed(resample(audio, CLIP_RATE_HZ, SPEECH_RATE_HZ))
    return Measured(
        values=measure_signal(audio, about),
        n_units=n_units,
        n_words=n_words,
        speech_span_s=round(about.speech_span_s, 2),
        pitch_hz=about.pitch_hz and round(about.pitch_hz, 1),
        voice=base64.b64encode(embedding.astype(np.float16).tobytes()).decode(),
    )


def _text_match(task: Task) -> dict[str, object]:
    """Return the share of the text's words that are heard; words too many count against it. 0 when nothing fits.

    Of a short clip also, whether another text fits better, for few words are heard by chance or missed.
    """
    words, audio = spoken_words(task.text), read_clip(task.path, SPEECH_RATE_HZ)
    heard = heard_words(_recogniser(), audio, words, distractors([]))
    found: dict[str, object] = {"text_match": round(max(0.0, 1.0 - word_error_rate(words, heard)), 3)}
    if task.others:
        own, *others = (_recogniser().forced_score(audio, spoken_words(text)) for text in (task.text, *task.others))
        found["other_fits"] = another_text_fits(own, others)
    return found


def _units(text: str, language: str) -> tuple[int, int]:
    if language != RECOGNISED:
        return sum(character.isalnum() for character in text), len(text.split())
    words = spoken_words(text)
    return (len(_recogniser().phones(words)) if words else 0), len(words)


@functools.cache
def _encoder():  # type: ignore[no-untyped-def]
    import torch

    from jobs.speaker.encoders import SpeakerEncoder

    torch.set_num_threads(1)  # an LSTM of 256 on a few windows: more threads only wait for each other
    return SpeakerEncoder()


@functools.cache
def _dnsmos():  # type: ignore[no-untyped-def]
    from jobs.audio.dnsmos import Dnsmos

    return Dnsmos()


@functools.cache
def _recogniser():  # type: ignore[no-untyped-def]
    from jobs.asr.pocketsphinx_asr import Recogniser

    return Recogniser()
