"""Speech to text with faster-whisper: the model once per process, every segment with what makes it doubtful.

Not WhisperX's batched transcription: that has no temperature fallback and no checks, so hallucinations pass.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from jobs.errors import UserError
from jobs.whisper.cuda import load_cuda_libraries, translate_cuda_error
from jobs.whisper.languages import language_code

logger = logging.getLogger(__name__)

SAMPLE_RATE_HZ = 16_000
# Whisper paper, section 4.5, and the defaults of the reference implementation.
MAX_COMPRESSION_RATIO = 2.4
MIN_MEAN_LOG_PROBABILITY = -1.0
MAX_NO_SPEECH_PROBABILITY = 0.6
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

Doubt = Literal["hallucination_loop", "no_speech", "low_confidence"]


@dataclass(frozen=True)
class TranscribedSegment:
    """A stretch of audio with its transcript.

    Attributes:
        start_s: seconds from the start of the samples.
        end_s: seconds from the start of the samples, never past their end.
        text: as Whisper writes it, without spaces around it.
        mean_log_probability: of the text's tokens; nearer to 0 is surer.
        no_speech_probability: that the 30 s window holds no speech.
        compression_ratio: of the window's text under zlib; a loop of repeated words compresses well.
    """

    start_s: float
    end_s: float
    text: str
    mean_log_probability: float
    no_speech_probability: float
    compression_ratio: float

    def doubt(self) -> Doubt | None:
        """Why the text should not be trusted, or None."""
        if self.compression_ratio > MAX_COMPRESSION_RATIO:
            return "hallucination_loop"
        if self.mean_log_probability < MIN_MEAN_LOG_PROBABILITY:
            is_silence = self.no_speech_probability > MAX_NO_SPEECH_PROBABILITY
            return "no_speech" if is_silence else "low_confidence"
        return None


class Transcriber:
    """A Whisper model in memory. Make one per run and keep it."""

    def __init__(self, model: str, device: str = "auto", *, cpu_threads: int = 0, seed: int = 0) -> None:
        """Load the model, from the disk when it is there, else from the network.

        Args:
            model: name (``large-v3``), hub id, or directory of a CTranslate2 model.
            device: ``auto`` (the GPU when there is one), ``cuda`` or ``cpu``.
            cpu_threads: threads on the CPU; 0 leaves the choice to CTranslate2.
            seed: of the sampling where temperature 0 fails; the same calls in the same order give the same texts.

        Raises:
            UserError: ``model_unavailable``, ``cuda_libraries_missing``, ``cuda_out_of_memory``, ``cuda_failed``.
        """
        import ctranslate2
        from faster_whisper import WhisperModel

        if device == "auto":
            device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        if device == "cuda":
            load_cuda_libraries()
        folder = _model_folder(model, fetch=True)
        self.model = model
        self.device = device
        ctranslate2.set_random_seed(seed)  # taken up by the threads that the model starts
        try:
            self._whisper: Any = WhisperModel(
                str(folder),
                device=device,
                compute_type="float16" if device == "cuda" else "int8",
                cpu_threads=cpu_threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            cuda = translate_cuda_error(error, f"Whisper {model}") if isinstance(error, RuntimeError) else None
            raise cuda or _unavailable(model, f"its files in {folder} do not load: {error}") from error

    def transcribe(self, samples_16k: npt.NDArray[np.float32], language: str | None = None) -> list[TranscribedSegment]:
        """Transcribe speech of any length, in windows of 30 s that know nothing of each other's text.

        Args:
            samples_16k: mono float32 in -1..1 at 16 kHz, shape ``(n,)``.
            language: a name (``english``) or code (``en``); None or ``auto`` detects it in the first 30 s.

        Returns:
            Segments in order, those with text and some length only.

        Raises:
            UserError: ``language_unknown`` and the ``cuda_`` errors of ``__init__``.
        """
        code = language_code(language)
        duration_s = len(samples_16k) / SAMPLE_RATE_HZ
        if duration_s == 0:
            return []
        try:
            segments, _ = self._whisper.transcribe(
                samples_16k,
                language=code,
                beam_size=5,
                temperature=list(TEMPERATURES),
                compression_ratio_threshold=MAX_COMPRESSION_RATIO,
                log_prob_threshold=MIN_MEAN_LOG_PROBABILITY,
                no_speech_threshold=MAX_NO_SPEECH_PROBABILITY,
                # A loop in one window would prompt the next one to loop.
                condition_on_previous_text=False,
            )
            heard = [_ours(segment, duration_s) for segment in segments]  # the model runs here
        except RuntimeError as error:
            cuda = translate_cuda_error(error, f"Whisper {self.model}")
            if cuda is None:
                raise
            raise cuda from error
        kept = [segment for segment in heard if segment.text and segment.end_s > segment.start_s]
        if len(kept) < len(heard):
            logger.info("Dropped %d segments without text or past the audio's end.", len(heard) - len(kept))
        return kept


def transcribe(
    samples_16k: npt.NDArray[np.float32], *, model: str, language: str | None, device: str = "auto"
) -> list[TranscribedSegment]:
    """Transcribe once; who transcribes more than once makes a ``Transcriber`` and keeps it."""
    return Transcriber(model, device).transcribe(samples_16k, language)


def model_is_available(model: str) -> bool:
    """True when the model is a directory or lies in the cache, so that it loads without network."""
    try:
        return (_model_folder(model, fetch=False) / "model.bin").is_file()
    except UserError:
        return False


def _ours(segment: Any, duration_s: float) -> TranscribedSegment:
    return TranscribedSegment(
        start_s=min(max(float(segment.start), 0.0), duration_s),
        end_s=min(float(segment.end), duration_s),  # windows are padded to 30 s, and times may lie in the padding
        text=segment.text.strip(),
        mean_log_probability=float(segment.avg_logprob),
        no_speech_probability=float(segment.no_speech_prob),
        compression_ratio=float(segment.compression_ratio),
    )


def _model_folder(model: str, *, fetch: bool) -> Path:
    """Folder of the model's files: given, cached, or (with ``fetch``) downloaded."""
    from faster_whisper import download_model

    given = Path(model).expanduser()
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
    except (OSError, ValueError) as error:
        if not fetch:
            raise _unavailable(model, f"it is not in the cache ({error})") from error
    if not fetch:
        raise _unavailable(model, "its download was not finished")
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
