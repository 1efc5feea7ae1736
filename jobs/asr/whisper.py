"""Speech to text with faster-whisper; each segment has the measures that make it doubtful.

Not WhisperX's batched transcription: that has no second try and no checks, so hallucinations pass.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.asr.ctranslate2_cuda import load_cuda_libraries, translate_cuda_error
from jobs.asr.model_registry import NAMES, ComputeType, language_code
from jobs.asr.transcript import (
    MAX_COMPRESSION_RATIO,
    MAX_NO_SPEECH_PROBABILITY,
    MIN_MEAN_LOG_PROBABILITY,
    TranscribedSegment,
    TranscribedWord,
)
from jobs.asr.whisper_files import check_whisper
from jobs.asr.whisper_scores import ScoredText, score_texts
from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.model_folders.checked_loading import loading_explained
from jobs.model_folders.contents import ModelFolder, staged

logger = logging.getLogger(__name__)

SAMPLE_RATE_HZ = 16_000
# The thresholds of the Whisper paper, section 4.5, and of the reference implementation.
CHECKS: dict[str, Any] = {
    "beam_size": 5,
    "compression_ratio_threshold": MAX_COMPRESSION_RATIO,
    "log_prob_threshold": MIN_MEAN_LOG_PROBABILITY,
    "no_speech_threshold": MAX_NO_SPEECH_PROBABILITY,
    # a loop in one window would prompt the next one to loop
    "condition_on_previous_text": False,
    "word_timestamps": True,
}

# Spans transcribed at once by default: a batch of large-v3 on the GPU takes a few GB.
BATCH_SIZES = {"cuda": 16, "cpu": 4}
TAIL_S = 1.0  # at a span's end without text: a batch reads each span once, and may not have come to its end


class Transcriber:
    """A Whisper model in memory. Make one per run and keep it."""

    def __init__(
        self,
        model: str,
        device: str = "auto",
        *,
        compute_type: ComputeType = "auto",
        batch_size: int = 0,
        cpu_threads: int = 0,
    ) -> None:
        """Load the model (name, hub id or CTranslate2 directory), from the disk if it is there, else from the network.

        ``compute_type`` ``auto`` is float16 on the GPU, int8 on the CPU. ``batch_size`` counts spans of
        ``transcribe_spans``; 0: ``BATCH_SIZES`` of the device. ``cpu_threads`` 0 leaves the choice to CTranslate2.
        A text depends on its audio alone, not on what was heard before.

        Raises ``UserError``: ``model_unavailable``, ``compute_type_unsupported``, ``cuda_libraries_missing``,
        ``cuda_oom``, ``cuda_failed``.
        """
        loaded = load_whisper(model, device, compute_type, cpu_threads=cpu_threads)
        self.model = model
        self.device = loaded.device
        self._whisper = loaded.model
        self._batch_size = batch_size or BATCH_SIZES[loaded.device]

    def transcribe(self, samples_16k: npt.NDArray[np.float32], language: str | None = None) -> list[TranscribedSegment]:
        """Transcribe speech of any length, in windows of 30 s; none is prompted with another's text.

        ``samples_16k`` is (n,) mono in -1..1. ``language`` None or ``auto`` detects it in the first 30 s, as one of the
        ten that Qwen3-TTS speaks. Segments without text or length are left out.

        Raises ``UserError``: ``language_unknown`` and the ``cuda_`` errors of ``__init__``.
        """
        duration_s = len(samples_16k) / SAMPLE_RATE_HZ
        code = language_code(language)
        if duration_s == 0:
            return []
        code = code or self.detect_language(samples_16k)[0]
        with _translated_cuda_errors(self.model):
            segments, _ = self._whisper.transcribe(samples_16k, language=code, temperature=[0.0], **CHECKS)
            found = [_convert_segment(segment, 0.0, duration_s, code) for segment in segments]  # the model runs here
        return _with_text(found)

    def transcribe_spans(
        self, samples_16k: npt.NDArray[np.float32], spans_s: Sequence[tuple[float, float]], language: str | None = None
    ) -> list[list[TranscribedSegment]]:
        """Transcribe each span (seconds, at most 30 long) by itself, ``batch_size`` of them at once.

        faster-whisper's batches have neither a second try nor its checks, and read a span once: a span with
        doubtful text, or whose text ends early, is transcribed again alone. An unnamed language is detected once.

        Returns:
            For each span its segments as of ``transcribe``, times from the span's start.
        """
        cuts = [(round(start * SAMPLE_RATE_HZ), round(end * SAMPLE_RATE_HZ)) for start, end in spans_s]
        if not cuts:
            return []
        code = language_code(language) or self.detect_language(samples_16k[cuts[0][0] :])[0]
        if self._batch_size == 1 or len(cuts) == 1:
            return [self.transcribe(samples_16k[first:last], code) for first, last in cuts]
        found: list[list[TranscribedSegment]] = [[] for _ in cuts]
        places = {int(first / SAMPLE_RATE_HZ * 100): number for number, (first, _) in enumerate(cuts)}
        with _translated_cuda_errors(self.model):
            from faster_whisper import BatchedInferencePipeline

            segments, _ = BatchedInferencePipeline(self._whisper).transcribe(
                samples_16k,
                language=code,
                temperature=[0.0],
                batch_size=self._batch_size,
                clip_timestamps=[
                    # faster-whisper rounds these down to samples, a whole one in floating point to the one before
                    {"start": (first + 0.5) / SAMPLE_RATE_HZ, "end": (last + 0.5) / SAMPLE_RATE_HZ}
                    for first, last in cuts
                ],
                vad_filter=False,
                # with them, what follows the last one would be lost: a batch reads each span once
                without_timestamps=True,
                **CHECKS,
            )
            for segment in segments:
                number = places[segment.seek]
                first, last = cuts[number]
                offset_s, duration_s = first / SAMPLE_RATE_HZ, (last - first) / SAMPLE_RATE_HZ
                found[number].append(_convert_segment(segment, offset_s, duration_s, code))
        again = {number for number, segments in enumerate(found) if _needs_second_pass(segments, cuts[number])}
        logger.info("Transcribed %d spans in batches of %d, %d again alone.", len(cuts), self._batch_size, len(again))
        return [
            self.transcribe(samples_16k[first:last], code) if number in again else _with_text(found[number])
            for number, (first, last) in enumerate(cuts)
        ]

    def score(
        self, samples_16k: npt.NDArray[np.float32], texts: Sequence[Sequence[str]], language: str
    ) -> list[ScoredText | None]:
        """Score texts for at most 30 s of audio; see ``jobs.asr.whisper_scores.score_texts``."""
        with _translated_cuda_errors(self.model):
            return score_texts(self._whisper, samples_16k, texts, language)

    def detect_language(self, samples_16k: npt.NDArray[np.float32]) -> tuple[str, float]:
        """Return code and probability of the likeliest of Qwen3-TTS's ten languages in the first 30 s."""
        with _translated_cuda_errors(self.model):
            probabilities = self._whisper.languages_of(samples_16k)
        known = {code: float(value) for code, value in probabilities if code in NAMES}
        code = max(known, key=lambda each: known[each], default="en")
        logger.info("Whisper detects %s (probability %.2f).", NAMES[code], known.get(code, 0.0))
        return code, known.get(code, 0.0)


@contextlib.contextmanager
def _translated_cuda_errors(model: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        cuda = translate_cuda_error(error, f"Whisper {model}")
        if cuda is None:
            raise
        raise cuda from error


def _needs_second_pass(found: Sequence[TranscribedSegment], cut: tuple[int, int]) -> bool:
    duration_s = (cut[1] - cut[0]) / SAMPLE_RATE_HZ
    return not found or duration_s - found[-1].end_s > TAIL_S or any(segment.doubt() for segment in found)


def _with_text(found: list[TranscribedSegment]) -> list[TranscribedSegment]:
    kept = [segment for segment in found if segment.text and segment.end_s > segment.start_s]
    if len(kept) < len(found):
        logger.info("Dropped %d segments without text or past the audio's end.", len(found) - len(kept))
    return kept


def _convert_segment(segment: Any, offset_s: float, duration_s: float, language: str) -> TranscribedSegment:
    def inside(time_s: float) -> float:  # windows are padded to 30 s, and times may lie in the padding
        return min(max(float(time_s) - offset_s, 0.0), duration_s)

    return TranscribedSegment(
        start_s=inside(segment.start),
        end_s=inside(segment.end),
        text=segment.text.strip(),
        mean_log_probability=float(segment.avg_logprob),
        no_speech_probability=float(segment.no_speech_prob),
        compression_ratio=float(segment.compression_ratio),
        words=tuple(
            TranscribedWord(word.word.strip(), inside(word.start), inside(word.end), float(word.probability))
            for word in segment.words or ()
        ),
        language=language,
    )


@dataclass(frozen=True)
class LoadedWhisper:
    """A ``jobs.asr.whisper_encoding.KeepingWhisper`` and the device it is on, ``cuda`` or ``cpu``."""

    model: Any
    device: str


def load_whisper(model: str, device: str, compute_type: ComputeType, *, cpu_threads: int = 0) -> LoadedWhisper:
    """Load a model; arguments and errors as in ``jobs.asr.whisper.Transcriber``."""
    import ctranslate2

    from jobs.asr.whisper_encoding import KeepingWhisper

    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if device == "cuda":
        if not ctranslate2.get_cuda_device_count():
            raise UserError("cuda_failed", "CTranslate2 finds no GPU.", "Check nvidia-smi; or give device cpu.")
        load_cuda_libraries()
    folder = _find_model_folder(model)
    if compute_type == "auto":
        compute_type = "float16" if device == "cuda" else "int8"
    supported = ctranslate2.get_supported_compute_types(device)
    if compute_type not in supported:
        raise UserError(
            "compute_type_unsupported",
            f"This machine's {device} does not compute in {compute_type}.",
            f"Use one of: {', '.join(sorted(supported))}; or auto.",
        )
    checked = ModelFolder.at(folder)
    files, n_tokens = check_whisper(checked)
    try:
        with staged(files) as known, loading_explained(checked.path):
            whisper = KeepingWhisper(
                str(known), device=device, compute_type=compute_type, cpu_threads=cpu_threads, local_files_only=True
            )
            _check_tokenizer(whisper, n_tokens)
    except UserError as error:
        cause = error.__cause__
        cuda = translate_cuda_error(cause, f"Whisper {model}") if isinstance(cause, RuntimeError) else None
        raise cuda or error from cause
    return LoadedWhisper(whisper, device)


def _check_tokenizer(whisper: Any, n_tokens: int) -> None:
    """Check that the tokens of a prompt exist, and that the weights have a row for every token.

    Raises ``ValueError``.
    """
    from faster_whisper.tokenizer import Tokenizer

    tokenizer = Tokenizer(whisper.hf_tokenizer, whisper.model.is_multilingual, task="transcribe", language="en")
    needed = [*tokenizer.sot_sequence, tokenizer.eot, tokenizer.no_timestamps, tokenizer.sot_prev]
    if None in needed:
        raise ValueError("tokenizer.json lacks tokens of a Whisper")
    if max(whisper.hf_tokenizer.get_vocab().values()) >= n_tokens:
        raise ValueError(f"tokenizer.json has tokens beyond the {n_tokens:,} of the weights")


def _find_model_folder(model: str) -> Path:
    """Return the folder of the model's files: given, cached or downloaded."""
    from faster_whisper import download_model

    given = expand_user(model)
    if given.is_dir():
        if not (given / "model.bin").is_file():
            raise _unavailable(
                model,
                "the directory holds no model.bin (ct2-transformers-converter makes one of a transformers model)",
            )
        return given
    try:
        folder = Path(download_model(model, local_files_only=True))
        if (folder / "model.bin").is_file():
            return folder
    except (OSError, ValueError):
        pass  # not in the cache
    logger.info("Downloading Whisper %s.", model)
    try:
        return Path(download_model(model))
    except (OSError, ValueError) as error:  # requests' and huggingface_hub's errors are among these
        raise _unavailable(model, f"it is not in the cache and could not be downloaded ({error})") from error


def _unavailable(model: str, why: str) -> UserError:
    return UserError(
        "model_unavailable",
        f"There is no Whisper model {model!r}: {why}.",
        "On a machine with network: hf download Systran/faster-whisper-large-v3 (3 GB; -small 0.5 GB), then give "
        "the folder as whisper_model. Without Whisper: give the book's text or segments_jsonl to ingest_audiobook.",
    )
