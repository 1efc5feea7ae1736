"""Speaker encoders: embeddings of voices, offline.

The GE2E encoder's weights are inside Resemblyzer's wheel. Resemblyzer itself is not imported: its import needs
webrtcvad, whose own import fails with a present setuptools. The net is three LSTM layers; run here it gives the
package's embedding bit for bit (our measurement, August 2026).

A WavLM x-vector model whose weights are on this machine is sharper. Its SIM has a scale of its own: never compare it
with another encoder's; limits are fitted (``rating.fitted_limits``).
"""

import contextlib
import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from jobs.audio.mel import Floats, mel_power
from jobs.errors import UserError
from jobs.files.reading import open_regular
from jobs.model_folders.checked_loading import load_checked, loading_explained
from jobs.model_folders.contents import ModelFolder, broken
from jobs.model_folders.lean_transformers import lean_transformers
from jobs.speaker.similarity import unit

ENCODER = "resemblyzer-0.1.4 (GE2E)"
RATE_HZ = 16_000
_HOP = 160  # 10 ms
_WINDOW_FRAMES = 160  # the 1.6 s that the encoder was trained on
_WINDOWS_PER_S = 1.3  # the package's default overlap
_MIN_COVERAGE = 0.25  # a last window is added when more than this share of it is new
_TARGET_DBFS = -30.0  # quieter audio is raised to this level, louder audio is left alone
LONGEST_S = 30.0  # memory grows with the square of the length; a voice is known long before
_UNUSED = ("masked_spec_embed", "objective.weight")  # of training
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class SpeakerEncoder(nn.Module):
    """Audio at 16 kHz to a unit vector of 256 numbers; CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size=40, hidden_size=256, num_layers=3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        checkpoint = torch.load(_weights_file(), map_location="cpu", weights_only=True)
        weights = {k: v for k, v in checkpoint["model_state"].items() if not k.startswith("similarity")}
        self.load_state_dict(weights, strict=True)
        self.eval()

    def forward(self, mels: Tensor) -> Tensor:
        """Mel windows (windows, 160, 40) to unit vectors (windows, 256)."""
        _, (hidden, _) = self.lstm(mels)
        raw = torch.relu(self.linear(hidden[-1]))
        unit_rows: Tensor = raw / raw.norm(dim=1, keepdim=True)
        return unit_rows

    @torch.inference_mode()
    def embed(self, audio: Floats) -> Floats:
        """Embed a clip, (samples,) mono at 16 kHz, as a unit vector (256,): the mean over windows of 1.6 s.

        Below 2 s it is too uncertain to judge by (own speaker: 0.78 to 0.83 against 0.96 for 8 s).
        """
        mels = mel_power(_raised(audio), rate_hz=RATE_HZ, n_fft=400, hop=_HOP, n_mels=40)
        if len(mels) < _WINDOW_FRAMES:
            mels = np.pad(mels, ((0, _WINDOW_FRAMES - len(mels)), (0, 0)))
        windows = np.stack([mels[start : start + _WINDOW_FRAMES] for start in _starts(len(mels))])
        return unit(self(torch.from_numpy(windows)).mean(0).numpy())


def _weights_file() -> Path:
    with contextlib.suppress(PackageNotFoundError):
        for file in distribution("resemblyzer").files or []:
            path = Path(str(file.locate()))
            if path.name == "pretrained.pt" and path.is_file():
                return path
    raise UserError(
        "encoder_missing",
        "The speaker encoder's weights (pretrained.pt of resemblyzer 0.1.4) are not installed.",
        "Call setup, then this again.",
    )


def _raised(audio: Floats) -> Floats:
    level = 10 * np.log10(float(np.mean(np.square(audio, dtype=np.float64))) + 1e-18)
    return audio if level >= _TARGET_DBFS else np.asarray(audio * 10 ** ((_TARGET_DBFS - level) / 20), np.float32)


def _starts(n_frames: int) -> list[int]:
    step = round(RATE_HZ / _WINDOWS_PER_S / _HOP)
    starts = list(range(0, n_frames - _WINDOW_FRAMES + 1, step))
    uncovered = n_frames - (starts[-1] + _WINDOW_FRAMES)
    if uncovered > _MIN_COVERAGE * _WINDOW_FRAMES:
        starts.append(n_frames - _WINDOW_FRAMES)
    return starts


class XVectorEncoder:
    """Audio at 16 kHz to a unit vector; CPU.

    Loads a folder of a ``WavLMForXVector`` as transformers saves it, or raises ``encoder_unusable``.
    """

    def __init__(self, folder: Path) -> None:
        with lean_transformers():
            from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

        model = ModelFolder.at(folder)
        try:
            given = model.read("preprocessor_config.json")
            if given.get("sampling_rate", RATE_HZ) != RATE_HZ:
                raise broken(folder, f"hears audio at another rate than {RATE_HZ:,} Hz")
            self._features: Any = Wav2Vec2FeatureExtractor(
                do_normalize=given.get("do_normalize") is not False,
                return_attention_mask=given.get("return_attention_mask") is True,
            )
            self._model: Any = load_checked(WavLMForXVector, model, unused=_UNUSED).eval()
            with loading_explained(folder):
                self.embed(np.zeros(RATE_HZ, np.float32))  # shows what a configuration says beyond shapes of weights
        except UserError as error:
            if error.code not in ("model_broken", "model_without_weights"):
                raise
            raise UserError(
                "encoder_unusable",
                f"{folder} does not load as a WavLM x-vector model: {error.message}",
                "Give a folder of microsoft/wavlm-base-plus-sv or another WavLMForXVector, or leave speaker_model out.",
            ) from error

    @torch.inference_mode()
    def embed(self, audio: Floats) -> Floats:
        """Embed a clip, (samples,) mono at 16 kHz, as a unit vector.

        Audio beyond ``LONGEST_S`` is not used; less than half a second is repeated.
        """
        heard = audio[: int(LONGEST_S * RATE_HZ)]
        heard = np.resize(heard, max(len(heard), RATE_HZ // 2))
        inputs = self._features(heard, sampling_rate=RATE_HZ, return_tensors="pt")
        return unit(self._model(**inputs).embeddings[0].float().numpy())


def encoder_name(folder: Path) -> str:
    """Return a name that differs where the weights differ; raise ``encoder_unusable`` if there are none."""
    for name in _WEIGHTS:
        path = ModelFolder.at(folder).find(name)
        if path is not None:
            with open_regular(path) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            title = folder.parents[1].name if folder.parent.name == "snapshots" else folder.name
            return f"WavLM x-vector {title} ({digest[:12]})"
    raise UserError(
        "encoder_unusable",
        f"There is neither {' nor '.join(_WEIGHTS)} in {folder}.",
        "Give a folder of microsoft/wavlm-base-plus-sv, or leave speaker_model out.",
    )
