"""A published voice in programs that have environments of their own.

    TTS_TRAIN_TEST_QWEN_TTS_HF=PYTHON ./run.sh test tests/jobs/publish_voice/test_other_engines.py

PYTHON is an interpreter with ``qwen-tts-hf`` and transformers 5.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from jobs.publish_voice.params import Params
from jobs.publish_voice.work import run
from tests.support.null_context import NullContext

SPEAK = """
import json, sys, torch, transformers
from qwen_tts import Qwen3TTSModel
model = Qwen3TTSModel.from_pretrained(sys.argv[1], dtype=torch.float32)
audio, rate = model.generate_custom_voice("hello", speaker="nora", max_new_tokens=4)
print(json.dumps([transformers.__version__, rate, len(audio[0])]))
"""


def test_qwen_tts_hf_speaks_with_transformers_5(voice: Path, tmp_path: Path) -> None:
    python = os.environ.get("TTS_TRAIN_TEST_QWEN_TTS_HF")
    if not python:
        pytest.skip("TTS_TRAIN_TEST_QWEN_TTS_HF names no interpreter with qwen-tts-hf")
    found = run(Params(model=str(voice), engine="qwen-tts-hf", out_dir=str(tmp_path / "out")), NullContext(tmp_path))

    answer = subprocess.run(
        [python, "-c", SPEAK, found.folder],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    version, rate, n_samples = json.loads(answer.stdout.splitlines()[-1])
    assert version.startswith("5.")
    assert rate == 24_000
    assert n_samples > 0
