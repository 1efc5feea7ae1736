"""Import of upstream in a fresh process: what it leaves out, and that all of that can be imported afterwards."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from jobs.settings import PROJECT_ROOT

LEFT_OUT = ["torchvision", "sklearn", "scipy", "numba", "sox", "onnxruntime", "torch._dynamo", "sympy"]

SCRIPT = f"""
import json, sys
from jobs.qwen.upstream import qwen_tts
package = qwen_tts()
loaded = [name for name in {LEFT_OUT} if name in sys.modules]

import librosa.filters, numpy, scipy.signal, torch
from transformers import masking_utils
kept = torch.compiler.disable
import torch._dynamo
from torch._dynamo._trace_wrapped_higher_order_op import TransformGetItemToIndex

band = dict(sr=24_000, n_fft=1024, n_mels=128, fmin=0, fmax=12_000)
mel = package.core.models.modeling_qwen3_tts.librosa_mel_fn
print(json.dumps({{
    "loaded": loaded,
    "same filters": mel is not librosa.filters.mel and bool((mel(**band) == librosa.filters.mel(**band)).all()),
    "same class": masking_utils.TransformGetItemToIndex is TransformGetItemToIndex,
    "same mark": kept.__module__ == "torch.compiler",
    "compiled": torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist(),
}}))
"""


@pytest.fixture(scope="module")
def ended() -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SCRIPT], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)


def test_the_import_is_silent_and_leaves_out_what_no_work_uses(ended: subprocess.CompletedProcess[str]) -> None:
    assert json.loads(ended.stdout)["loaded"] == []  # the one line of the output
    assert ended.stderr == ""


def test_what_was_left_out_works_afterwards(ended: subprocess.CompletedProcess[str]) -> None:
    found = json.loads(ended.stdout)

    assert found["same filters"]  # bit for bit
    assert found["same class"]
    assert found["same mark"]
    assert found["compiled"] == [2.0, 2.0]
