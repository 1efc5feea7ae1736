"""Who judges: the speaker encoder and the recogniser of a run, chosen once and never mixed.

Without weights on the machine these are the carried ones (GE2E, pocketsphinx). A WavLM x-vector model or a Whisper
that is given, or found in the Hugging Face cache, judges instead; nothing is downloaded for it.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from jobs.asr.whisper import Transcriber
from jobs.audio.clip_io import Samples
from jobs.audio.mel import Floats
from jobs.errors import UserError
from jobs.rate_samples.params import Params
from jobs.settings import Settings
from jobs.speaker.ge2e_encoder import ENCODER, SpeakerEncoder
from jobs.speaker.xvector_encoder import XVectorEncoder, encoder_name
from jobs.text.english_normalization import spoken_words

SPEAKER_MODELS = ("microsoft/wavlm-base-plus-sv", "microsoft/wavlm-base-sv")
WHISPER_MODELS = (
    "Systran/faster-whisper-large-v3",
    "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "Systran/faster-whisper-medium",
    "Systran/faster-whisper-small",
)
# Without a GPU a larger one, which lies in the cache for ingest, would take minutes a take: it must be asked for.
WHISPER_MODELS_ON_CPU = WHISPER_MODELS[3:]


class Encoder(Protocol):
    """Makes speaker embeddings."""

    def embed(self, audio: Floats) -> Floats:
        """A unit vector of a clip: (samples,) mono at 16 kHz."""
        ...


class SpeakerJudge:
    """The speaker encoder of a run; its weights are loaded when first needed.

    Attributes:
        name: of model and weights.
        is_carried: limits were measured for it; those of any other must be fitted.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.is_carried = folder is None
        self.name = ENCODER if folder is None else encoder_name(folder)

    @cached_property
    def encoder(self) -> Encoder:
        """The model."""
        return SpeakerEncoder() if self._folder is None else XVectorEncoder(self._folder)


class Listener:
    """Whisper, which hears what is said without being told what should be; any of its languages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        title = folder.parents[1].name if folder.parent.name == "snapshots" else folder.name
        weights = (folder / "model.bin").stat() if (folder / "model.bin").is_file() else None
        self.name = f"faster-whisper {title} ({weights.st_size if weights else 0} bytes)"

    @cached_property
    def _transcriber(self) -> Transcriber:
        return Transcriber(str(self._folder))

    def hear(self, speech: Samples, language: str) -> list[str]:
        """The words of audio at 16 kHz, prepared as those of a text are."""
        segments = self._transcriber.transcribe(speech, None if language == "auto" else language)
        return comparable_words(" ".join(segment.text for segment in segments), language)


def comparable_words(text: str, language: str) -> list[str]:
    """Words as they are counted and compared: spoken ones in English, else stretches of letters and digits.

    Languages without spaces come as single characters, so that their error rate is one of characters.
    """
    if language == "english":
        return spoken_words(text)
    plain = "".join(character if character.isalnum() else " " for character in text.casefold())
    return list(plain.replace(" ", "")) if language in ("chinese", "japanese") else plain.split()


class Naturalness:
    """UTMOSv2, where its package is installed: shown beside the rating, no part of it.

    Its limits were not measured, and the same file scores up to 0.3 apart from process to process.
    """

    name = "UTMOSv2 (shown, no part of the rating)"

    @cached_property
    def _model(self) -> Any:
        return importlib.import_module("utmosv2").create_model(pretrained=True)

    def predict(self, path: Path) -> float:
        """Predicted opinion of a file, 1 to 5."""
        return round(float(self._model.predict(input_path=str(path))), 3)


@dataclass(frozen=True)
class Judges:
    """The judges of one run.

    Attributes:
        naturalness: None where UTMOSv2 is not installed.
        listener: Whisper; None: the carried recogniser, which expects the text and knows English only.
    """

    speaker: SpeakerJudge
    listener: Listener | None = None
    naturalness: Naturalness | None = None


def choose_judges(params: Params, settings: Settings) -> Judges:
    """The best judges whose weights are given or already on this machine.

    Raises:
        UserError: ``judge_unavailable`` for weights that were given and are not there, ``encoder_unusable``.
    """
    # without another speaker's clips the limits of another encoder cannot be fitted
    which = params.judges if params.anchor_clips else "offline"
    speaker = _folder(params.speaker_model, SPEAKER_MODELS, "speaker_model", which, settings)
    known = WHISPER_MODELS if torch.cuda.is_available() else WHISPER_MODELS_ON_CPU
    whisper = _folder(params.whisper_model, known, "whisper_model", params.judges, settings)
    has_utmos = params.judges == "auto" and importlib.util.find_spec("utmosv2") is not None
    return Judges(
        SpeakerJudge(speaker),
        Listener(whisper) if whisper is not None else None,
        Naturalness() if has_utmos else None,
    )


def _folder(given: str | None, known: Sequence[str], parameter: str, which: str, settings: Settings) -> Path | None:
    if given is not None:
        found = _cached(given, settings)
        if found is None:
            raise UserError(
                "judge_unavailable",
                f"{parameter}={given!r} is neither a folder nor in the Hugging Face cache {settings.hub_cache}.",
                f"Get it with hf download {given}, give a folder, or leave {parameter} out.",
            )
        return found
    if which == "offline":
        return None
    return next((folder for name in known if (folder := _cached(name, settings)) is not None), None)


def _cached(model: str, settings: Settings) -> Path | None:
    """Folder of a model that is a folder or complete in the cache."""
    if Path(model).is_dir():
        return Path(model)
    try:
        folder = Path(snapshot_download(model, cache_dir=settings.hub_cache, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        return None
    weights = ("model.safetensors", "pytorch_model.bin", "model.bin")
    return folder if any((folder / name).is_file() for name in weights) else None
