"""Speech synthesis with upstream ``qwen_tts``: a trained voice by its speaker, a base model by a reference clip."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.codec_format import FRAMES_PER_SECOND, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from jobs.errors import UserError
from jobs.qwen.codec import full_float32
from jobs.qwen.devices import describe_device, gpu_memory_explained, torch_dtype
from jobs.qwen.loading import load_base
from jobs.qwen.model_info import VoiceModel
from jobs.qwen.precision import synthesis_precision
from jobs.qwen.speaker_embedding import SHORTEST_REFERENCE_S
from jobs.qwen.speech.decoding import Decoding


@dataclass(frozen=True)
class Reference:
    """A clip whose voice a base model clones.

    Attributes:
        samples: float32 mono at 24 kHz.
        text: transcript of the clip. With it the model continues the clip, which gives the closest likeness; without
            it the model takes the timbre alone.
    """

    samples: NDArray[np.float32]
    text: str | None = None

    @property
    def duration_s(self) -> float:
        """Length of the clip in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Speech:
    """Synthesized audio, float32 mono at 24 kHz, and whether it was cut at the limit because it did not end."""

    samples: NDArray[np.float32]
    hit_limit: bool

    @property
    def duration_s(self) -> float:
        """Length of the audio in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Synthesizer:
    """A loaded model with one voice, one language and one instruct.

    Attributes:
        upstream: the ``Qwen3TTSModel``. It keeps state while generating: one text at a time.
    """

    upstream: Any
    speaker: str | None
    language: str
    clone_prompt: list[Any] | None
    instruct: str | None = None

    @property
    def n_parameters(self) -> int:
        """Number of weights of talker, code predictor and speaker encoder."""
        return sum(parameter.numel() for parameter in self.upstream.model.parameters())

    def synthesize(self, text: str, decoding: Decoding) -> Speech:
        """Synthesize one text. The same text, seed and machine give the same samples, independent of earlier texts.

        Raises:
            UserError: ``cuda_oom``.
        """
        import torch

        max_frames = max(1, int(decoding.max_seconds * FRAMES_PER_SECOND))
        options = decoding.to_stock(max_frames)
        text = text.strip()  # a leading line break would become one token with the prompt's
        torch.manual_seed(decoding.seed)
        with full_float32(), gpu_memory_explained("max_seconds"):
            if self.clone_prompt is None and self.speaker is None:
                waveforms, _ = self.upstream.generate_voice_design(
                    text=text, instruct=self.instruct, language=self.language, **options
                )
            elif self.clone_prompt is None:
                waveforms, _ = self.upstream.generate_custom_voice(
                    text=text, speaker=self.speaker, language=self.language, instruct=self.instruct, **options
                )
            else:
                waveforms, _ = self.upstream.generate_voice_clone(
                    text=text, language=self.language, voice_clone_prompt=self.clone_prompt, **options
                )
        samples: NDArray[np.float32] = np.asarray(waveforms[0], np.float32)
        # rounded: upstream cuts the reference off by a proportion, which may miss a sample
        hit_limit = round(len(samples) / SAMPLES_PER_FRAME) > max_frames
        return Speech(samples[: max_frames * SAMPLES_PER_FRAME], hit_limit)


def load_synthesizer(
    model: VoiceModel,
    device: str,
    *,
    speaker: str | None,
    language: str,
    reference: Reference | None = None,
    instruct: str | None = None,
) -> Synthesizer:
    """Load a model for synthesis, after all checks that need no weights.

    Raises:
        UserError: ``speaker_unknown``, ``speaker_missing``, ``language_unknown``, ``instruct_not_supported``,
            ``ref_audio_missing``, ``ref_audio_not_used``, ``reference_too_short``, ``cuda_oom``.
    """
    chosen, spoken = model.speaker(speaker), model.language(language)
    model.check_instruct(instruct)
    model.check_reference(is_given=reference is not None)
    _check_length(reference)
    with full_float32(), gpu_memory_explained("the model's size"):
        precision = synthesis_precision(describe_device(device))
        upstream = load_base(model.folder, device, torch_dtype(precision), with_codec=True)
        prompt = None
        if reference is not None:
            text = (reference.text or "").strip() or None
            prompt = upstream.create_voice_clone_prompt(
                ref_audio=(reference.samples, SAMPLE_RATE_HZ), ref_text=text, x_vector_only_mode=text is None
            )
    return Synthesizer(
        upstream=upstream,
        speaker=chosen,
        language=spoken,
        clone_prompt=prompt,
        instruct=(instruct or "").strip() or None,
    )


def _check_length(reference: Reference | None) -> None:
    duration_s = SHORTEST_REFERENCE_S if reference is None else reference.duration_s
    if duration_s < SHORTEST_REFERENCE_S:
        raise UserError(
            "reference_too_short",
            f"ref_audio lasts {duration_s:.2f} s; at least {SHORTEST_REFERENCE_S} s are needed, 3 to 10 s are good.",
            "Give a longer clip.",
        )
