"""Codec's decoder for frames as they come: every layer goes on where it ended, so nothing is decoded twice."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jobs.codec_format import N_CODEBOOKS, SAMPLES_PER_FRAME

# chunked_decode of qwen-tts 0.1.1: every 300 frames the decoder starts anew, with the 25 frames before
CHUNK_FRAMES = 300
CONTEXT_FRAMES = 25


class CodecStream:
    """Decoder of one take. Its samples are those of all frames decoded at once, up to rounding."""

    def __init__(
        self, speech_tokenizer: Any, chunk_frames: int = CHUNK_FRAMES, context_frames: int = CONTEXT_FRAMES
    ) -> None:
        """Make a stream.

        Args:
            speech_tokenizer: upstream's ``Qwen3TTSTokenizer``; its weights are shared.
            chunk_frames: after so many frames the decoder starts anew.
            context_frames: that it reads again then.
        """
        self._chunk_frames, self._context_frames = chunk_frames, context_frames
        decoder = speech_tokenizer.model.decoder
        shared = {id(each): each for each in (*decoder.parameters(), *decoder.buffers())}
        self._device = speech_tokenizer.device
        self._decoder = copy.deepcopy(decoder, shared)
        self._layers = _replace_layers(self._decoder, type(decoder.pre_conv), type(decoder.upsample[0][0]))
        self._decoder.pre_transformer = _ContinuedTransformer(self._decoder.pre_transformer)
        self._layers.append(self._decoder.pre_transformer)
        self._n_frames = 0
        self._last = torch.zeros(0, N_CODEBOOKS, dtype=torch.long)

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> NDArray[np.float32]:
        """Decode the next frames.

        Args:
            codes: (frames, 16).

        Returns:
            (frames * 1920,) samples.
        """
        parts = [np.zeros(0, np.float32)]
        while len(codes):
            at = self._n_frames % self._chunk_frames
            if at == 0 and self._n_frames:
                for layer in self._layers:
                    layer.restart()
                self._run(self._last)
            now, codes = codes[: self._chunk_frames - at], codes[self._chunk_frames - at :]
            parts.append(self._run(now))
            self._n_frames += len(now)
            self._last = torch.cat([self._last, now])[-self._context_frames :]
        return np.concatenate(parts)

    def _run(self, codes: Tensor) -> NDArray[np.float32]:
        samples = self._decoder(codes.to(self._device).T[None]).flatten()
        assert len(samples) == len(codes) * SAMPLES_PER_FRAME
        decoded: NDArray[np.float32] = samples.float().cpu().numpy()
        return decoded


class _ContinuedConvolution(nn.Module):
    """A causal convolution that sees the end of its earlier input where upstream's sees zeros."""

    def __init__(self, upstream: Any) -> None:
        super().__init__()
        self._conv, self._n_before = upstream.conv, upstream.padding
        self.restart()

    def restart(self) -> None:
        self._before: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self._n_before:
            return self._conv(x)  # type: ignore[no-any-return]
        before = x.new_zeros(*x.shape[:-1], self._n_before) if self._before is None else self._before
        x = torch.cat([before, x], -1)
        self._before = x[..., -self._n_before :]
        return self._conv(x)  # type: ignore[no-any-return]


class _ContinuedTransposedConvolution(nn.Module):
    """A causal transposed convolution that computes the last inputs again, whose output reaches into the next ones'."""

    def __init__(self, upstream: Any) -> None:
        super().__init__()
        self._conv, self._n_cut = upstream.conv, upstream.right_pad
        self._stride = upstream.conv.stride[0]
        self._n_before = -(-upstream.conv.kernel_size[0] // self._stride) - 1
        self.restart()

    def restart(self) -> None:
        self._before: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        whole = x if self._before is None else torch.cat([self._before, x], -1)
        n_known = whole.shape[-1] - x.shape[-1]
        self._before = whole[..., whole.shape[-1] - min(self._n_before, whole.shape[-1]) :]
        y = self._conv(whole)
        return y[..., n_known * self._stride : y.shape[-1] - self._n_cut]  # type: ignore[no-any-return]


class _ContinuedTransformer(nn.Module):
    """The decoder's transformer with a cache of the keys and values in its window."""

    def __init__(self, upstream: Any) -> None:
        super().__init__()
        self._upstream = upstream
        self.restart()

    def restart(self) -> None:
        self._cache: Any = None

    def forward(self, inputs_embeds: Tensor) -> Any:
        output = self._upstream(inputs_embeds=inputs_embeds, past_key_values=self._cache, use_cache=True)
        self._cache = output.past_key_values
        return output


def _replace_layers(module: nn.Module, convolution: type, transposed: type) -> list[Any]:
    """Replace the convolutions in a module by those that go on, and return these."""
    found: list[Any] = []
    for name, child in module.named_children():
        if isinstance(child, convolution | transposed):
            ours = _ContinuedConvolution if isinstance(child, convolution) else _ContinuedTransposedConvolution
            found.append(ours(child))
            setattr(module, name, found[-1])
        else:
            found += _replace_layers(child, convolution, transposed)
    return found
