"""Speaking with stock ``qwen_tts``: a trained voice by its speaker, or a base model by a reference clip."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jobs.errors import UserError
from jobs.qwen.codec import FRAMES_PER_SECOND, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, full_float32
from jobs.qwen.devices import gpu_memory_explained, speaking_dtype
from jobs.qwen.export import CARD
from jobs.qwen.loading import load_base, read_config
from jobs.qwen.speaker import SHORTEST_REFERENCE_S


@dataclass(frozen=True)
class VoiceModel:
    """What a model's config says of how it can speak; read without loading weights.

    Attributes:
        folder: the model's directory.
        kind: ``custom_voice`` speaks with its own speakers, ``base`` with the voice of a reference clip.
        speakers: names, lower case.
        languages: names, lower case; ``auto`` first.
        trained_language: the one language that a voice of ours was trained on, when it was one.
    """

    folder: Path
    kind: Literal["custom_voice", "base"]
    speakers: tuple[str, ...]
    languages: tuple[str, ...]
    trained_language: str | None = None

    def speaker(self, asked: str | None) -> str | None:
        """Find the speaker to use: the one asked for, else the only one; None for a base model.

        Raises:
            UserError: ``speaker_unknown`` or ``speaker_missing``, naming the known ones.
        """
        known = ", ".join(self.speakers) or "none"
        if self.kind == "base":
            if asked is None:
                return None
            raise UserError(
                "speaker_unknown",
                f"{self.folder} is a base model: it has no speaker {asked!r}, it takes its voice from ref_audio.",
                "Leave speaker out, or give a voice from start_training.",
            )
        if asked is None and len(self.speakers) != 1:
            raise UserError(
                "speaker_missing",
                f"{self.folder} has {len(self.speakers)} speakers: {known}.",
                "Say which with speaker=NAME.",
            )
        if asked is not None and asked.lower() not in self.speakers:
            raise UserError(
                "speaker_unknown",
                f"{self.folder} has no speaker {asked!r}; it knows: {known}.",
                "Use one of them, or leave speaker out where there is only one.",
            )
        return self.speakers[0] if asked is None else asked.lower()

    def language(self, asked: str | None) -> str:
        """Find the language to speak: the one asked for, else the one that the voice was trained on, else ``auto``.

        Each language has a prefix of its own in front of the codes; a voice speaks best behind the one it learnt.

        Raises:
            UserError: ``language_unknown``, naming the known ones.
        """
        if asked is None:
            return self.trained_language or "auto"
        if asked.lower() not in self.languages:
            raise UserError(
                "language_unknown",
                f"{self.folder} does not know the language {asked!r}; it knows: {', '.join(self.languages)}.",
                "Use one of them, or auto.",
            )
        return asked.lower()


@dataclass(frozen=True)
class Reference:
    """A clip whose voice a base model takes on.

    Attributes:
        samples: float32 mono at 24 kHz.
        text: what is said in it. With it the model continues the clip (closest likeness); without it takes
            the timbre alone.
    """

    samples: NDArray[np.float32]
    text: str | None = None


@dataclass(frozen=True)
class Decoding:
    """How codes are picked. ``temperature`` and ``top_k`` go for the talker and the code predictor alike."""

    greedy: bool
    temperature: float
    top_k: int
    seed: int
    max_seconds: float


@dataclass(frozen=True)
class Speech:
    """What was said: float32 mono at 24 kHz, and whether it was cut because it did not end."""

    samples: NDArray[np.float32]
    hit_limit: bool

    @property
    def duration_s(self) -> float:
        """Length of the audio in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Narrator:
    """A loaded model with one voice and one language, ready to speak.

    Attributes:
        stock: the ``Qwen3TTSModel``. It keeps state while generating: one text at a time.
        speaker: of a trained voice, else None.
        language: ``auto`` or a language of the model.
        clone_prompt: of a base model, made once from the reference clip.
    """

    stock: Any
    speaker: str | None
    language: str
    clone_prompt: list[Any] | None

    @property
    def n_parameters(self) -> int:
        """Of talker, code predictor and speaker encoder."""
        return sum(parameter.numel() for parameter in self.stock.model.parameters())

    def say(self, text: str, decoding: Decoding) -> Speech:
        """Speak one text. The same text, seed and machine give the same samples, whatever was said before.

        Raises:
            UserError: ``gpu_memory``.
        """
        import torch

        max_frames = max(1, int(decoding.max_seconds * FRAMES_PER_SECOND))
        options = _options(decoding, max_frames)
        said = text.strip()  # a leading line break would melt into the prompt's and be lost
        torch.manual_seed(decoding.seed)
        with full_float32(), gpu_memory_explained("max_seconds"):
            if self.clone_prompt is None:
                waveforms, _ = self.stock.generate_custom_voice(
                    text=said, speaker=self.speaker, language=self.language, **options
                )
            else:
                waveforms, _ = self.stock.generate_voice_clone(
                    text=said, language=self.language, voice_clone_prompt=self.clone_prompt, **options
                )
        samples: NDArray[np.float32] = np.asarray(waveforms[0], np.float32)
        # rounded: stock cuts the reference off by a proportion, which may miss a sample
        hit_limit = round(len(samples) / SAMPLES_PER_FRAME) > max_frames
        return Speech(samples[: max_frames * SAMPLES_PER_FRAME], hit_limit)


def describe_model(folder: Path) -> VoiceModel:
    """Read how a model (from ``resolve_model``) can speak.

    Raises:
        UserError: ``model_cannot_speak`` for a kind that is neither a voice nor a base.
    """
    config = read_config(folder)
    kind = config.get("tts_model_type")
    if kind not in ("custom_voice", "base"):
        raise UserError(
            "model_cannot_speak",
            f"{folder} is a {kind!r} model; synthesize speaks with voices ('custom_voice') and with 'base' models.",
            "Give a voice from start_training, or a Base or CustomVoice model.",
        )
    talker = config["talker_config"]
    languages = [name.lower() for name in talker.get("codec_language_id") or {} if "dialect" not in name]
    return VoiceModel(
        folder=folder,
        kind=kind,
        speakers=tuple(sorted(name.lower() for name in talker.get("spk_id") or {})),
        languages=("auto", *sorted(languages)),
        trained_language=_trained_language(folder),
    )


def _trained_language(folder: Path) -> str | None:
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None  # not a voice of ours
    languages = card.get("languages", [])
    return str(languages[0]) if len(languages) == 1 else None


def load_narrator(
    model: VoiceModel, device: str, *, speaker: str | None, language: str, reference: Reference | None = None
) -> Narrator:
    """Load a model for speaking; everything that can be refused is refused before the weights are read.

    Args:
        model: from ``describe_model``.
        device: ``cpu`` or ``cuda:0``.
        speaker: of a trained voice; None for its only one.
        language: ``auto`` or a language of the model.
        reference: needed for a base model, refused for a trained voice.

    Raises:
        UserError: ``speaker_unknown``, ``speaker_missing``, ``language_unknown``, ``ref_audio_missing``,
            ``ref_audio_not_used``, ``reference_too_short``, ``gpu_memory``.
    """
    chosen, spoken = model.speaker(speaker), model.language(language)
    _check_reference(model, reference)
    with full_float32(), gpu_memory_explained("the model's size"):
        stock = load_base(model.folder, device, speaking_dtype(device), with_codec=True)
        prompt = None
        if reference is not None:
            text = (reference.text or "").strip() or None
            prompt = stock.create_voice_clone_prompt(
                ref_audio=(reference.samples, SAMPLE_RATE_HZ), ref_text=text, x_vector_only_mode=text is None
            )
    return Narrator(stock=stock, speaker=chosen, language=spoken, clone_prompt=prompt)


def _check_reference(model: VoiceModel, reference: Reference | None) -> None:
    if model.kind == "custom_voice":
        if reference is None:
            return
        raise UserError(
            "ref_audio_not_used",
            f"{model.folder} is a trained voice: it speaks with its own speakers, not with ref_audio.",
            "Leave ref_audio and ref_text out, or give a base model.",
        )
    if reference is None:
        raise UserError(
            "ref_audio_missing",
            f"{model.folder} is a base model: it has no voice of its own.",
            "Give ref_audio=CLIP (3 to 10 s) and, better, ref_text; or give a voice from start_training.",
        )
    duration_s = len(reference.samples) / SAMPLE_RATE_HZ
    if duration_s < SHORTEST_REFERENCE_S:
        raise UserError(
            "reference_too_short",
            f"ref_audio lasts {duration_s:.2f} s; {SHORTEST_REFERENCE_S} s is least, 3 to 10 s is good.",
            "Give a longer clip.",
        )


def _options(decoding: Decoding, max_frames: int) -> dict[str, Any]:
    """Keyword arguments of stock generation. All are given: a model's own defaults may differ."""
    return {
        "do_sample": not decoding.greedy,
        "subtalker_dosample": not decoding.greedy,
        "temperature": decoding.temperature,
        "subtalker_temperature": decoding.temperature,
        "top_k": decoding.top_k,
        "subtalker_top_k": decoding.top_k,
        # n new tokens yield at most n - 1 frames; one frame beyond the limit tells "did not end" from "just fits"
        "max_new_tokens": max_frames + 2,
    }
