"""Speech probabilities from the silero v6 network in faster-whisper's wheel, block by block.

The network's state and context are carried over, so blocks of any size give the very probabilities of one call on
the whole audio. What is speech and what is silence is decided in ``jobs.audio.vad_segments``.
"""

from pathlib import Path
from typing import Any

import faster_whisper
import numpy as np
import numpy.typing as npt
import onnxruntime

from jobs.audio.clip_io import Samples

FRAME_SAMPLES = 512  # at 16 kHz: 32 ms
_CONTEXT_SAMPLES = 64


class StreamVad:
    """Voice activity of one signal at 16 kHz. Push blocks in order, then ``finish``."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # measured: more threads are slower
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        weights = Path(faster_whisper.__file__).parent / "assets" / "silero_vad_v6.onnx"
        self._session: Any = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self.reset()

    def reset(self) -> None:
        """Reset the state before a new signal."""
        self._hidden = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Speech probability, 0..1, of every frame of 32 ms that is complete by now, shape ``(n,)``."""
        samples = np.concatenate([self._rest, samples])
        n_frames = len(samples) // FRAME_SAMPLES
        self._rest = samples[n_frames * FRAME_SAMPLES :].copy()
        if n_frames == 0:
            return np.zeros(0, np.float32)
        frames = samples[: n_frames * FRAME_SAMPLES].reshape(n_frames, FRAME_SAMPLES)
        before = np.concatenate([self._context[None], frames[:-1, -_CONTEXT_SAMPLES:]])
        self._context = frames[-1, -_CONTEXT_SAMPLES:].copy()
        probabilities, self._hidden, self._cell = self._session.run(
            None, {"input": np.concatenate([before, frames], 1), "h": self._hidden, "c": self._cell}
        )
        flat: npt.NDArray[np.float32] = probabilities.reshape(-1)
        return flat

    def finish(self) -> npt.NDArray[np.float32]:
        """Return the probability of the last, incomplete frame, padded with silence; then reset."""
        missing = -len(self._rest) % FRAME_SAMPLES
        last = self.push(np.zeros(missing, np.float32)) if missing else np.zeros(0, np.float32)
        self.reset()
        return last


def speech_probabilities(vad: StreamVad, audio_16k: Samples, block_samples: int = 160_000) -> Samples:
    """Compute the speech probability of each 32 ms of a signal, shape ``(ceil(n / 512),)``, in bounded memory."""
    blocks = [vad.push(audio_16k[start : start + block_samples]) for start in range(0, len(audio_16k), block_samples)]
    return np.concatenate([*blocks, vad.finish()])
