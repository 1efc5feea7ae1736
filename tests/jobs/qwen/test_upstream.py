"""Upstream in a fresh process: what its import and a training leave out, and that all of that can be imported later."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.settings import PROJECT_ROOT

LEFT_OUT = ["torchvision", "sklearn", "scipy", "numba", "sox", "onnxruntime", "torch._dynamo", "sympy"]

SCRIPT = f"""
import json, sys
from pathlib import Path
from jobs.qwen.upstream import qwen_tts
package = qwen_tts()
loaded = [name for name in {LEFT_OUT} if name in sys.modules]

import torch
from jobs.qwen.speaker_embedding import load_speaker_encoder
from jobs.training import work
from jobs.training.run.optimizer import make_optimiser
encoder = load_speaker_encoder(Path(sys.argv[1]))
layer = torch.nn.Linear(2, 2)
optimiser = make_optimiser(layer, lr=0.1, weight_decay=0)
layer(torch.ones(2)).sum().backward()
optimiser.step()
optimiser.zero_grad()
optimiser.load_state_dict(optimiser.state_dict())
trained = [name for name in {LEFT_OUT} if name in sys.modules]

import librosa.filters, numpy, scipy.signal
from transformers import masking_utils, models
from transformers.utils import import_utils
listed = import_utils._LazyModule("models", models.__file__, import_utils.define_import_structure(models.__file__))
kept = torch.compiler.disable
import torch._dynamo
from torch._dynamo._trace_wrapped_higher_order_op import TransformGetItemToIndex

band = dict(sr=24_000, n_fft=1024, n_mels=128, fmin=0, fmax=12_000)
mel = package.core.models.modeling_qwen3_tts.librosa_mel_fn
print(json.dumps({{
    "loaded": loaded,
    "trained": trained,
    "same models": listed._class_to_module == models._class_to_module,
    "encoder": [str(each.device) for each in encoder.parameters() if each.device.type != "cpu"],
    "same filters": mel is not librosa.filters.mel and bool((mel(**band) == librosa.filters.mel(**band)).all()),
    "same class": masking_utils.TransformGetItemToIndex is TransformGetItemToIndex,
    "same mark": kept.__module__ == "torch.compiler",
    "compiled": torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist(),
}}))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    base = make_toy_base(tmp_path_factory.mktemp("base") / "toy", shape="0.6b")
    command = [sys.executable, "-c", SCRIPT, str(base)]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)


def test_the_import_is_silent_and_leaves_out_what_no_work_uses(ended: subprocess.CompletedProcess[str]) -> None:
    assert json.loads(ended.stdout)["loaded"] == []  # the one line of the output
    assert ended.stderr == ""


def test_an_encoder_and_a_step_of_a_training_leave_it_out_too(ended: subprocess.CompletedProcess[str]) -> None:
    found = json.loads(ended.stdout)

    assert found["trained"] == []
    assert found["encoder"] == []  # all weights were read


def test_what_was_left_out_works_afterwards(ended: subprocess.CompletedProcess[str]) -> None:
    found = json.loads(ended.stdout)

    assert found["same models"]
    assert found["same filters"]  # bit for bit
    assert found["same class"]
    assert found["same mark"]
    assert found["compiled"] == [2.0, 2.0]
