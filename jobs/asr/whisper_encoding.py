"""Whisper model that keeps the encodings of its last windows, and whose second try of a doubtful text is no sampling.

Of the work to transcribe a window of half a minute, its encoding is about half: what was transcribed is scored without
a second one. Sampling would depend on all that the process has heard before: a resumed job would end with other texts.
"""

import hashlib
from dataclasses import replace
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim

MOST_KEPT = 20  # windows of a speech chunk; 60 MB of base, 150 MB of large-v3

# Of 31 windows of speech under noise, music and other voices, sampling at Whisper's five temperatures gave none a text
# that is not in doubt, at twice the CPU time. Penalties of repeated words let wrong words in noise pass.
SECOND_TRY = {"beam_size": 1}

Features = npt.NDArray[np.float32]


class KeepingWhisper(WhisperModel):  # type: ignore[misc]
    """A ``faster_whisper.WhisperModel`` whose encodings can be used again."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kept: dict[bytes, Features] = {}

    def encode(self, features: Features) -> Any:
        """Encode windows (n, mels, frames), or one; on the CPU those that are kept are not encoded again."""
        windows = features[None] if features.ndim == 2 else features
        keys = [_key(window) for window in windows]
        if self.model.device == "cpu" and all(key in self._kept for key in keys):
            return _to_view(np.stack([self._kept[key] for key in keys]))
        encoded = super().encode(features)
        for key, row in zip(keys, _to_array(encoded), strict=True):
            self._keep(key, row)
        return encoded

    def encoding_of(self, samples_16k: Features) -> tuple[Features, int]:
        """Return the encoding (1, positions, width) of at most 30 s of audio, and its number of frames."""
        # as ``transcribe`` and the batches cut it, so that a window that was transcribed is known
        features = self.feature_extractor(samples_16k)[..., :-1]
        window = pad_or_trim(features)
        key = _key(window)
        if key not in self._kept:
            self._keep(key, _to_array(self.model.encode(_to_view(window[None]), to_cpu=True))[0])
        return self._kept[key][None], min(features.shape[-1], self.feature_extractor.nb_max_frames)

    def languages_of(self, samples_16k: Features) -> list[tuple[str, float]]:
        """Return the languages of at most 30 s of audio with their probabilities; a model of English knows no other."""
        if not self.model.is_multilingual:
            return [("en", 1.0)]
        encoding, _ = self.encoding_of(samples_16k)
        return [(token[2:-2], float(value)) for token, value in self.model.detect_language(_to_view(encoding))[0]]

    def generate_with_fallback(self, encoder_output: Any, prompt: list[int], tokenizer: Any, options: Any) -> Any:
        """Decode a window by beam search and, if its text is doubtful, once more by the likeliest next word.

        Returns:
            As upstream, which tries rising temperatures: result, mean log probability, temperature, compression ratio.
        """
        tries = []
        for changes in ({}, SECOND_TRY):
            settings = replace(options, temperatures=[0.0], **changes)
            found = super().generate_with_fallback(encoder_output, prompt, tokenizer, settings)
            if not _is_doubtful(found, options):
                return found
            tries.append(found)
        without_loop = [each for each in tries if not _is_loop(each, options)]
        return max(without_loop or tries, key=lambda each: each[1])

    def _keep(self, key: bytes, row: Features) -> None:
        self._kept.pop(key, None)
        self._kept[key] = row
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]


def _is_loop(found: Any, options: Any) -> bool:
    return options.compression_ratio_threshold is not None and found[3] > options.compression_ratio_threshold


def _is_doubtful(found: Any, options: Any) -> bool:
    """Return whether a text fails Whisper's checks; silence does not."""
    is_unlikely = options.log_prob_threshold is not None and found[1] < options.log_prob_threshold
    is_silence = options.no_speech_threshold is not None and found[0].no_speech_prob > options.no_speech_threshold
    return (is_unlikely and not is_silence) or (_is_loop(found, options) and not (is_unlikely and is_silence))


def _key(window: Features) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(window, np.float32).tobytes(), digest_size=16).digest()


def _to_view(array: Features) -> Any:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array, np.float32))


def _to_array(view: Any) -> Features:
    on_cpu = view.to_device(ctranslate2.Device.cpu) if view.device != "cpu" else view
    return np.array(on_cpu.to(ctranslate2.DataType.float32))
