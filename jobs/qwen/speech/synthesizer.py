"""Speech synthesis: a trained voice by its speaker, a base model by a reference clip.

Codes come from the decode loop; prompt and codec are upstream's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from jobs.codec_format import FRAMES_PER_SECOND, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from jobs.errors import UserError
from jobs.qwen.codec import full_float32
from jobs.qwen.devices import describe_device, gpu_memory_explained, torch_dtype
from jobs.qwen.loading import load_base, own_weights
from jobs.qwen.model_info import VoiceModel
from jobs.qwen.precision import synthesis_precision
from jobs.qwen.speaker_embedding import SHORTEST_REFERENCE_S
from jobs.qwen.speech.codec_stream import CodecStream
from jobs.qwen.speech.decode_loop import FIRST_POSITIONS, DecodeLoop
from jobs.qwen.speech.decoder_weights import DecoderWeights
from jobs.qwen.speech.decoding_settings import SAMPLING, Decoding
from jobs.qwen.speech.prompts import build_prompt
from jobs.qwen.speech.sound import Reference, Speech
from jobs.qwen.speech.takes import TakeRequest

logger = logging.getLogger(__name__)

MOST_SLOTS = 16
"""Takes spoken at once. Measured on one core with the size of the 0.6B: 1.7 frames a second with one, 10.5 with 8, 15
with 16."""
CACHE_BYTES = 2 * 10**9
"""Memory for the keys and values of the takes spoken at once."""
FIRST_BLOCK_FRAMES, MOST_BLOCK_FRAMES = 2, 32
"""Frames that a stream decodes at once: few at first, so that it begins soon, then twice as many each time."""
POSITIONS_AROUND_TEXT = 32
"""More than the positions of role, language, speaker and line ends."""


@dataclass(frozen=True)
class Synthesizer:
    """A loaded model with one voice, one language and one instruct.

    Attributes:
        upstream: the ``Qwen3TTSModel``. It keeps state while generating: one text at a time.
        weights: those of the decode loop; None: the model's architecture is another, and upstream's loop speaks.
    """

    upstream: Any
    speaker: str | None
    language: str
    clone_prompt: list[Any] | None
    instruct: str | None = None
    weights: DecoderWeights | None = None

    @property
    def n_parameters(self) -> int:
        """Number of weights of talker, code predictor and speaker encoder."""
        return sum(parameter.numel() for parameter in self.upstream.model.parameters())

    def synthesize(self, text: str, decoding: Decoding) -> Speech:
        """Synthesize one text. The same text, seed and machine give the same samples, independent of earlier texts.

        Raises:
            UserError: ``cuda_oom``, ``model_broken``.
        """
        _, speech = next(self.synthesize_all([(text, decoding)]))
        return speech

    def synthesize_all(
        self, takes: Sequence[tuple[str, Decoding]], n_slots: int = 1, on_frame: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[int, Speech]]:
        """Synthesize takes, several at once, and yield the number of each and its speech as it ends.

        A take does not depend on the takes beside it. With another number of slots the products of matrices round
        otherwise: a code may then be another one where two are equally likely to a millionth.

        Args:
            takes: texts and how to speak them, with the same settings of sampling.
            n_slots: takes at once, from ``count_slots``.
            on_frame: called before every frame; what it raises ends the synthesis.

        Raises:
            UserError: ``cuda_oom``, ``model_broken``.
        """
        if self.weights is None:
            for number, (text, decoding) in enumerate(takes):
                on_frame()
                yield number, self.synthesize_by_stock(text, decoding)
            return
        if len({tuple(getattr(decoding, name) for name in SAMPLING) for _, decoding in takes}) != 1:
            raise ValueError("takes that are spoken at once need the same settings of sampling")
        with full_float32(), gpu_memory_explained("max_seconds"):
            loop = DecodeLoop(self.weights, n_slots, takes[0][1])
            requests = (self.request(number, *take) for number, take in enumerate(takes))
            for decoded in loop.run(requests, on_frame):
                began = time.perf_counter()
                n_most = max_frames(takes[decoded.key][1])
                with torch.inference_mode():
                    samples = self.decode(decoded.codes)[: n_most * SAMPLES_PER_FRAME]
                compute_s = decoded.compute_s + time.perf_counter() - began
                yield decoded.key, Speech(samples, len(decoded.codes) > n_most, compute_s)

    def stream(self, text: str, decoding: Decoding) -> Iterator[NDArray[np.float32]]:
        """Synthesize one text and yield its samples while it is spoken, the first after two frames.

        The samples are those of ``synthesize`` up to rounding.

        Raises:
            UserError: ``cuda_oom``, ``model_broken``.
        """
        if self.weights is None:
            yield self.synthesize_by_stock(text, decoding).samples
            return
        with full_float32(), gpu_memory_explained("max_seconds"):
            loop = DecodeLoop(self.weights, 1, decoding)
            codec = CodecStream(self.upstream.model.speech_tokenizer)
            before = self.reference_codes
            if before is not None:
                codec.decode(before.cpu())
            slot = loop.admit(self.request(0, text, decoding))
            n_sent, n_block = 0, FIRST_BLOCK_FRAMES
            while loop.n_running:
                loop.step()
                n_ready = min(len(slot.frames), slot.max_frames)
                if n_ready > n_sent and (n_ready - n_sent >= n_block or not loop.n_running):
                    yield codec.decode(torch.tensor(slot.frames[n_sent:n_ready]))
                    n_sent, n_block = n_ready, min(2 * n_block, MOST_BLOCK_FRAMES)

    def synthesize_by_stock(self, text: str, decoding: Decoding) -> Speech:
        """Synthesize one text with upstream's own loop: the reference of ours.

        Raises:
            UserError: ``cuda_oom``.
        """
        began = time.perf_counter()
        n_most = max_frames(decoding)
        torch.manual_seed(decoding.seed)
        with full_float32(), gpu_memory_explained("max_seconds"):
            waveforms, _ = self.speak_with(self.upstream, text, **decoding.to_stock(n_most))
        samples: NDArray[np.float32] = np.asarray(waveforms[0], np.float32)
        # rounded: upstream cuts the reference off by a proportion, which may miss a sample
        hit_limit = round(len(samples) / SAMPLES_PER_FRAME) > n_most
        return Speech(samples[: n_most * SAMPLES_PER_FRAME], hit_limit, time.perf_counter() - began)

    def count_slots(self, takes: Sequence[tuple[str, Decoding]], cache_bytes: int = CACHE_BYTES) -> int:
        """Return how many of some takes are spoken at once, as far as the caches of the longest fit."""
        if self.weights is None:
            return 1
        longest = max(self.count_positions(*take) for take in takes)
        capacity = FIRST_POSITIONS
        while capacity < longest:
            capacity *= 2
        most = max(1, min(MOST_SLOTS, cache_bytes // (capacity * self.weights.bytes_per_position)))
        n_rounds = -(-len(takes) // most)
        return -(-len(takes) // n_rounds)

    def count_positions(self, text: str, decoding: Decoding) -> int:
        """Return the most positions that a take needs in the caches."""
        others = [self.instruct or "", *(item.ref_text or "" for item in self.clone_prompt or [])]
        n_fixed = sum(len(words.encode()) for words in others) + POSITIONS_AROUND_TEXT
        n_fixed += sum(0 if item.ref_code is None else len(item.ref_code) for item in self.clone_prompt or [])
        # a token has at least one byte
        return n_fixed + len(text.encode()) + max_frames(decoding)

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return len(self.upstream.processor.tokenizer(text.strip())["input_ids"])

    def request(self, number: int, text: str, decoding: Decoding) -> TakeRequest:
        """Return what the decode loop needs of a take."""
        prompt = build_prompt(self.upstream, lambda upstream: self.speak_with(upstream, text))
        return TakeRequest(number, prompt, decoding.seed, max_frames(decoding))

    def speak_with(self, upstream: Any, text: str, **options: Any) -> Any:
        """Call the method of a ``Qwen3TTSModel`` that speaks with this voice."""
        text = text.strip()  # a leading line break would become one token with the prompt's
        if self.clone_prompt is not None:
            return upstream.generate_voice_clone(
                text=text, language=self.language, voice_clone_prompt=self.clone_prompt, **options
            )
        if self.speaker is None:
            return upstream.generate_voice_design(text=text, instruct=self.instruct, language=self.language, **options)
        return upstream.generate_custom_voice(
            text=text, speaker=self.speaker, language=self.language, instruct=self.instruct, **options
        )

    @property
    def reference_codes(self) -> torch.Tensor | None:
        """Codes that a clone with a transcript continues."""
        codes: torch.Tensor | None = None if self.clone_prompt is None else self.clone_prompt[0].ref_code
        return codes

    def decode(self, codes: torch.Tensor) -> NDArray[np.float32]:
        """Decode the codes of a take; a clone with a transcript continues the codes of its reference."""
        before = self.reference_codes
        if before is not None:
            codes = torch.cat([before.to(codes.device), codes])
        waveforms, _ = self.upstream.model.speech_tokenizer.decode([{"audio_codes": codes}])
        samples: NDArray[np.float32] = np.asarray(waveforms[0], np.float32)
        return samples if before is None else samples[len(before) * SAMPLES_PER_FRAME :]


def max_frames(decoding: Decoding) -> int:
    """Return the most frames of a take."""
    return max(1, int(decoding.max_seconds * FRAMES_PER_SECOND))


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
    chosen = model.speaker(speaker)
    spoken = model.language(language, chosen)
    model.check_instruct(instruct)
    model.check_reference(is_given=reference is not None)
    _check_length(reference)
    with full_float32(), gpu_memory_explained("the model's size"):
        precision = synthesis_precision(describe_device(device))
        upstream = load_base(model.folder, device, torch_dtype(precision), with_codec=True)
        own_weights(upstream.model, upstream.model.speech_tokenizer.model)
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
        weights=_join_weights(upstream.model),
    )


def _join_weights(model: Any) -> DecoderWeights | None:
    """Join the weights for the decode loop; None for an architecture that it does not know."""
    try:
        return DecoderWeights(model)
    except ValueError as error:
        logger.warning("upstream's loop speaks, because the model's %s", error)
        return None


def _check_length(reference: Reference | None) -> None:
    duration_s = SHORTEST_REFERENCE_S if reference is None else reference.duration_s
    if duration_s < SHORTEST_REFERENCE_S:
        raise UserError(
            "reference_too_short",
            f"ref_audio lasts {duration_s:.2f} s; at least {SHORTEST_REFERENCE_S} s are needed, 3 to 10 s are good.",
            "Give a longer clip.",
        )
