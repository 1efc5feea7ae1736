"""faster-qwen3-tts, measured on the same weights and texts in an environment of its own, outside our lock."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from bench.support import faster_qwen3_driver

CHUNKS = (12, 2)
"""Frames of a stream's parts: the package's default, and as many as our stream begins with."""


def write_weights(model: Any, folder: Path) -> None:
    """Write the weights of a random model beside config, tokenizer and codec, as stock's loader reads them."""
    own = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    save_file(own, str(folder / "model.safetensors"), {"format": "pt"})


def measure_faster(
    python: Path, folder: Path, texts: Sequence[str], *, device: str, dtype: str, n_frames: int, stream_frames: int,
    rounds: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the package's figures, or why there are none.

    Args:
        python: of an environment with faster-qwen3-tts.
        folder: of the model.
        texts: of which the first is spoken.
        device: where; on a CPU only the calls are checked.
        dtype: of the weights.
        n_frames: of a take.
        stream_frames: of a stream.
        rounds: the best of which counts.
    """
    wanted = folder / "faster.json"
    document = {
        "folder": str(folder), "texts": list(texts), "speaker": "fox", "language": "english", "device": device,
        "dtype": dtype, "n_frames": n_frames, "stream_frames": stream_frames, "rounds": rounds, "chunks": CHUNKS,
    }  # fmt: skip
    wanted.write_text(json.dumps(document), encoding="utf-8")
    command = [str(python), faster_qwen3_driver.__file__, str(wanted)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    lines = ended.stdout.strip().splitlines()
    if ended.returncode or not lines:
        return {"failed": (ended.stderr.strip().splitlines() or ["no output"])[-1][:300]}
    found: dict[str, Any] = json.loads(lines[-1])
    return found
