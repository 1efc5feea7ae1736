"""Whisper model that keeps the encodings of its last windows: what was transcribed is scored without a second one.

Of the work to transcribe a window of half a minute, its encoding is about half.
"""

import hashlib
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim

MOST_KEPT = 20  # windows of a speech chunk; 60 MB of base, 150 MB of large-v3

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

    def _keep(self, key: bytes, row: Features) -> None:
        self._kept.pop(key, None)
        self._kept[key] = row
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]


def _key(window: Features) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(window, np.float32).tobytes(), digest_size=16).digest()


def _to_view(array: Features) -> Any:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array, np.float32))


def _to_array(view: Any) -> Features:
    on_cpu = view.to_device(ctranslate2.Device.cpu) if view.device != "cpu" else view
    return np.array(on_cpu.to(ctranslate2.DataType.float32))
