"""Forced aligners behind one interface, and the choice of one for a language."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from jobs.asr.model_registry import language_code
from jobs.asr.whisperx_alignment import Aligner, CannotAlign, alignment_model_is_available
from jobs.audio.clip_io import SPEECH_RATE_HZ, Samples
from jobs.dataset.manifest import Word
from jobs.errors import UserError

logger = logging.getLogger(__name__)

Choice = Literal["auto", "whisperx", "pocketsphinx"]


class WordAligner(Protocol):
    """Interface of a forced aligner: it finds when known words are spoken.

    Attributes:
        name: of the aligner and its model.
        default_min_score: mean word score below which a text is wrong; 0 where not measured.
        tail_s: seconds that the sound of a clip's last word may last after its aligned end.
    """

    name: str
    default_min_score: float
    tail_s: float

    def align(self, samples_16k: Samples, words: Sequence[str]) -> list[Word]:
        """Return one entry for each word, in order; seconds from the start of the samples.

        Raises ``CannotAlign``: the words do not fit the audio.
        """
        ...


class PocketsphinxAligner:
    """Forced alignment of English by pocketsphinx, offline.

    Its mean word score separates right text from wrong: on 20 clips of a LibriVox narrator right text had 0.68 to
    0.80 (0.54 to 0.64 with white noise at 10 dB), the text of another clip at most 0.43; on 18 of a synthetic
    voice 0.71 to 0.79 against at most 0.41 (own measurement, 2026-11-22).
    """

    name = "pocketsphinx"
    default_min_score = 0.5
    tail_s = 0.1

    def __init__(self) -> None:
        from jobs.asr.pocketsphinx_asr import MAX_ALIGN_S, Recogniser

        self._recogniser = Recogniser()
        self._max_s = MAX_ALIGN_S

    def align(self, samples_16k: Samples, words: Sequence[str]) -> list[Word]:
        """See ``WordAligner``."""
        if len(samples_16k) > self._max_s * SPEECH_RATE_HZ:
            raise CannotAlign(f"{len(samples_16k) / SPEECH_RATE_HZ:.0f} s is more than {self._max_s:.0f} s")
        found = self._recogniser.align(samples_16k, words)
        if found is None:
            raise CannotAlign("the words do not fit the audio")
        return [
            Word(word=word.word, start_s=word.start_s, end_s=word.end_s, score=round(word.score, 3)) for word in found
        ]


class WhisperxAligner:
    """Forced alignment by a wav2vec2 model: the one that WhisperX names for the language, or a given one."""

    default_min_score = 0.0
    tail_s = 0.4  # the last letter ends with its first certain frame, before its sound does

    def __init__(self, code: str, model: str | None) -> None:
        self._aligner = Aligner(code, model)
        self.name = f"whisperx {self._aligner.model}"

    def align(self, samples_16k: Samples, words: Sequence[str]) -> list[Word]:
        """See ``WordAligner``."""
        return self._aligner.align(samples_16k, words)


def make_aligner(language: str, choice: Choice, model: str | None, torch_cache: Path) -> WordAligner:
    """Make the aligner for clips of a language.

    Raises ``UserError``: ``language_unknown``, ``aligner_unavailable``, ``model_unavailable``.
    """
    code = language_code(language)
    if code is None:
        raise UserError(
            "language_unknown",
            "The manifest's language is 'auto', but an aligner needs a known language.",
            "Ingest again with language=NAME, or set the language in the manifest's lines.",
        )
    if choice == "pocketsphinx" and (code != "en" or model is not None):
        why = f"it supports English only, not {language}" if code != "en" else "it takes no align_model"
        raise UserError(
            "aligner_unavailable", f"pocketsphinx cannot align this: {why}.", "Use aligner=whisperx or auto."
        )
    is_cached = alignment_model_is_available(code, torch_cache=torch_cache)
    if choice == "whisperx" or model is not None or (choice == "auto" and is_cached):
        return WhisperxAligner(code, model)
    if code != "en":
        raise UserError(
            "aligner_unavailable",
            f"There is no aligner for {language} on this machine: pocketsphinx supports English only, and WhisperX's "
            "model is not in the cache.",
            "Give aligner=whisperx where there is network (it downloads its model once), or align_model=DIR of a "
            "wav2vec2 CTC model for the language.",
        )
    return PocketsphinxAligner()
