"""DNSMOS: predicted opinion of a clip's sound, from the ONNX nets inside speechmos's wheel, one thread.

No rating of its own: studio narration scores about 3.3, Qwen3-TTS more than the human. Use the difference to the
narrator's own recordings. Deaf to words, voice and pitch. speechmos itself is not imported (it needs librosa and
requests and opens one session a thread); the numbers are the same to three decimals.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import onnxruntime

from jobs.audio.mel import Floats, mel_power
from jobs.errors import UserError

PREDICTOR = "speechmos-0.0.1.1 (DNSMOS P.835 + P.808)"
RATE_HZ = 16_000
WINDOW = int(9.01 * RATE_HZ)  # what the nets take, samples
_STEP = int(4.5 * RATE_HZ)  # half a window; the published 1 s costs three times as much for 0.015 on average

# Raw answer to MOS, Reddy et al., "DNSMOS P.835", and speechmos/dnsmos.py (non-personalised).
_OVERALL = (-0.06766283, 1.11546468, 0.04602535)
_SIGNAL = (-0.08397278, 1.22083953, 0.0052439)
_BACKGROUND = (-0.13166888, 1.60915514, -0.39604546)


@dataclass(frozen=True)
class Mos:
    """Predicted opinions, 1 to 5: P.835 overall, signal, background; P.808 overall."""

    ovrl: float
    sig: float
    bak: float
    p808: float


class Dnsmos:
    """The two nets, opened once."""

    def __init__(self) -> None:
        self._p835 = _session("sig_bak_ovr.onnx")
        self._p808 = _session("model_v8.onnx")

    def predict(self, audio: Floats) -> Mos:
        """Predict opinions of (samples,) mono at 16 kHz, at least one sample.

        Shorter than 9 s is repeated to fill a window; below 4 s the answer is too low (by 0.4 at 1.9 s).
        """
        filled = np.resize(np.clip(audio, -1, 1).astype(np.float32), max(WINDOW, len(audio)))
        last = len(filled) - WINDOW
        windows = [filled[start : start + WINDOW] for start in sorted({*range(0, last + 1, _STEP), last})]
        p835 = np.array([self._p835.run(None, {"input_1": window[None]})[0][0] for window in windows])
        p808 = [float(self._p808.run(None, {"input_1": _log_mel(window)[None]})[0].ravel()[0]) for window in windows]
        signal, background, overall = p835.T
        return Mos(
            ovrl=float(np.mean(np.polyval(_OVERALL, overall))),
            sig=float(np.mean(np.polyval(_SIGNAL, signal))),
            bak=float(np.mean(np.polyval(_BACKGROUND, background))),
            p808=float(np.mean(p808)),
        )


def _log_mel(window: Floats) -> Floats:
    """(901, 120) of a 9.01 s window: dB below the window's loudest cell, 80 dB deep, scaled as in training."""
    power = mel_power(window[:-160], rate_hz=RATE_HZ, n_fft=321, hop=160, n_mels=120)
    db = 10 * np.log10(np.maximum(power, 1e-10)) - 10 * np.log10(max(float(power.max()), 1e-10))
    return np.asarray((np.maximum(db, -80.0) + 40) / 40, dtype=np.float32)


def _session(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(_net(name)), options, providers=["CPUExecutionProvider"])


def _net(name: str) -> Path:
    try:
        files = distribution("speechmos").files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.name == name and path.parent.name == "dnsmos_models" and path.is_file():
            return path
    raise UserError(
        "mos_predictor_missing",
        f"DNSMOS's net {name} (speechmos 0.0.1.1) is not installed.",
        "Call setup, then this again.",
    )
