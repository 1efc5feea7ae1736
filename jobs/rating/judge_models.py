"""Judge models of a run: one speaker encoder, one recogniser, optionally UTMOSv2; chosen once and never mixed.

The bundled models (GE2E, pocketsphinx) are the default. A WavLM x-vector model or a Whisper replaces them when it is
given or found in the Hugging Face cache; nothing is downloaded.
"""

import importlib
import importlib.util
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Literal, Protocol

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from jobs.asr.whisper import Transcriber
from jobs.audio.clip_io import Samples
from jobs.audio.mel import Floats
from jobs.errors import UserError
from jobs.rating.instruments.distill_mos import DistillMos
from jobs.rating.scoring import MIN_SEPARATION, VoiceLimits, fitted_limits
from jobs.settings import Settings
from jobs.speaker.encoders import ENCODER, SpeakerEncoder, XVectorEncoder, encoder_name
from jobs.text.english_normalization import spoken_words

SPEAKER_MODELS = ("microsoft/wavlm-base-plus-sv", "microsoft/wavlm-base-sv")
WHISPER_MODELS = (
    "Systran/faster-whisper-large-v3",
    "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "Systran/faster-whisper-medium",
    "Systran/faster-whisper-small",
)
# Without a GPU a larger one, perhaps cached for ingest, takes minutes for each take: only if it is given.
WHISPER_MODELS_ON_CPU = WHISPER_MODELS[3:]


class Encoder(Protocol):
    """Speaker encoder."""

    def embed(self, audio: Floats) -> Floats:
        """Embed a clip, (samples,) mono at 16 kHz, as a unit vector."""
        ...


class SpeakerModel:
    """The speaker encoder of a run; its weights are loaded on first use.

    SIM limits were measured for the bundled one; those of any other encoder must be fitted.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.is_bundled = folder is None
        self.name = ENCODER if folder is None else encoder_name(folder)

    @cached_property
    def encoder(self) -> Encoder:
        """The loaded encoder."""
        return SpeakerEncoder() if self._folder is None else XVectorEncoder(self._folder)


class WhisperRecogniser:
    """Whisper: recognises speech in any of its languages without a hint of the expected text."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        title = folder.parents[1].name if folder.parent.name == "snapshots" else folder.name
        weights = (folder / "model.bin").stat() if (folder / "model.bin").is_file() else None
        self.name = f"faster-whisper {title} ({weights.st_size if weights else 0} bytes)"

    @cached_property
    def _transcriber(self) -> Transcriber:
        return Transcriber(str(self._folder))

    def recognise(self, speech: Samples, language: str) -> list[str]:
        """Return the words of audio at 16 kHz, normalised like those of a text."""
        segments = self._transcriber.transcribe(speech, None if language == "auto" else language)
        return comparable_words(" ".join(segment.text for segment in segments), language)


def comparable_words(text: str, language: str) -> list[str]:
    """Normalise a text to comparable words: spoken words in English, else runs of letters and digits.

    Chinese and Japanese are split into characters, so that their error rate is a character error rate.
    """
    if language == "english":
        return spoken_words(text)
    plain = "".join(character if character.isalnum() else " " for character in text.casefold())
    return list(plain.replace(" ", "")) if language in ("chinese", "japanese") else plain.split()


class NaturalnessModel:
    """UTMOSv2, if its package is installed: reported with the rating, not part of it.

    No thresholds were measured for it, and scores of one file differ by up to 0.3 between processes.
    """

    name = "UTMOSv2 (shown, no part of the rating)"

    @cached_property
    def _model(self) -> Any:
        return importlib.import_module("utmosv2").create_model(pretrained=True)

    def predict(self, path: Path) -> float:
        """Predict the mean opinion score of a file, 1 to 5."""
        return round(float(self._model.predict(input_path=str(path))), 3)


@dataclass(frozen=True)
class JudgeModels:
    """The judge models of one run.

    Without Whisper the bundled recogniser is used, which expects the text and is English only.
    """

    speaker: SpeakerModel
    whisper: WhisperRecogniser | None = None
    naturalness: NaturalnessModel | None = None
    gate: DistillMos | None = None


def choose_judge_models(
    settings: Settings,
    *,
    judges: Literal["auto", "offline"] = "auto",
    speaker_model: str | None = None,
    whisper_model: str | None = None,
    has_other_speaker: bool = True,
) -> JudgeModels:
    """Choose the best models whose weights are given or already on this machine.

    Args:
        judges: ``offline``: only the bundled models.
        speaker_model: folder or cached hub id of a speaker encoder.
        whisper_model: folder or cached hub id of a Whisper.
        has_other_speaker: without clips of another speaker the limits of another encoder cannot be fitted.

    Raises:
        UserError: ``judge_unavailable`` for weights that were given and are not there, ``encoder_unusable``.
    """
    speaker_source = judges if has_other_speaker else "offline"
    speaker = _find_model(speaker_model, SPEAKER_MODELS, "speaker_model", speaker_source, settings)
    candidates = WHISPER_MODELS if torch.cuda.is_available() else WHISPER_MODELS_ON_CPU
    whisper = _find_model(whisper_model, candidates, "whisper_model", judges, settings)
    has_utmos = judges == "auto" and importlib.util.find_spec("utmosv2") is not None
    return JudgeModels(
        SpeakerModel(speaker),
        WhisperRecogniser(whisper) if whisper is not None else None,
        NaturalnessModel() if has_utmos else None,
        DistillMos() if DistillMos.is_installed() else None,
    )


@dataclass(frozen=True)
class NarratorLimits:
    """SIM limits of the speaker encoder for one narrator, with their origin.

    None: the encoder cannot separate this narrator from another voice; ``source`` is the reason.
    """

    limits: VoiceLimits | None
    source: str


def fit_limits(own_sim: float, other_sims: Sequence[float]) -> NarratorLimits:
    """Fit the limits of an encoder without measured ones, from the narrator's own clips and those of another voice."""
    if not other_sims:
        return NarratorLimits(None, "there was no other voice to fit the limits with")
    lower_bound = median(other_sims)
    values = f"the narrator's own SIM {own_sim:.2f}, another voice's {lower_bound:.2f} ({len(other_sims)} clips)"
    if own_sim - lower_bound < MIN_SEPARATION:
        return NarratorLimits(None, f"it does not separate the narrator from another voice: {values}")
    return NarratorLimits(fitted_limits(own_sim, lower_bound), f"fitted in this run: {values}")


def _find_model(
    given: str | None, candidates: Sequence[str], parameter: str, source: str, settings: Settings
) -> Path | None:
    """Return the folder of the given model, else of the first cached candidate; None with ``source`` "offline"."""
    if given is not None:
        found = _cached(given, settings)
        if found is None:
            raise UserError(
                "judge_unavailable",
                f"{parameter}={given!r} is neither a folder nor in the Hugging Face cache {settings.hub_cache}.",
                f"Get it with hf download {shlex.quote(given)}, give a folder, or leave {parameter} out.",
            )
        return found
    if source == "offline":
        return None
    return next((folder for name in candidates if (folder := _cached(name, settings)) is not None), None)


def _cached(model: str, settings: Settings) -> Path | None:
    """Return the folder of a model that is a folder or complete in the cache."""
    if Path(model).is_dir():
        return Path(model)
    try:
        folder = Path(snapshot_download(model, cache_dir=settings.hub_cache, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        return None
    weights = ("model.safetensors", "pytorch_model.bin", "model.bin")
    return folder if any((folder / name).is_file() for name in weights) else None
