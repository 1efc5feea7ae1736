"""The original skill's documentation of tuning, iterating and applying what was found: each line, as written there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import PROJECT_ROOT
from jobs.tune_hparams.search_space import preset_space
from tests.server.cli.test_commands import read

# From "Iterative Training Loop" and "Hyperparameter Optimization"; only <voice> has a name.
DOCUMENTED = r"""
python .agent/skills/tts-train/iterative_train.py \
  --model-path Qwen/Qwen3-TTS-12Hz-1.7B-Base \
  --data datasets/anna/train_manifest_qwen3.jsonl \
  --output artifacts/tts/anna_iterative \
  --run-hyperparameter-search \
  --hp-trials 10 \
  --max-iterations 5 \
  --quality-threshold 3.5

python .agent/skills/tts-train/iterative_train.py \
  --model-path artifacts/tts/anna/checkpoint-epoch-0 \
  --data datasets/anna/train_manifest_qwen3.jsonl \
  --output artifacts/tts/anna_refined \
  --hyperparams best_config.json \
  --max-iterations 3

python .agent/skills/tts-train/iterative_train.py \
  --model-path artifacts/tts/anna/checkpoint-epoch-0 \
  --data datasets/anna/train_manifest_qwen3.jsonl \
  --output artifacts/tts/anna_refined \
  --max-iterations 3 \
  --auto-evaluate

python .agent/skills/tts-train/iterative_train.py \
  --model-path /path/to/model \
  --data /path/to/data.jsonl \
  --output /path/to/output \
  --eval-phrases "I am the Warmaster" "The Emperor betrayed us" \
  --epochs-per-iteration 2

.agent/skills/tts-train/run.sh tune-1.7b-bayesian \
  --n_trials 15 \
  --n_smoke_steps 300 \
  --model_size 1.7b \
  --use_web_research \
  --dataset horus

python .agent/skills/tts-train/tune_qwen3_1.7b_bayesian.py \
  --n_trials 10 \
  --model_size 1.7b \
  --dataset horus
"""
LINES = [line.replace("\\\n", " ") for line in DOCUMENTED.strip().split("\n\n")]

APPLYING = r"""
BEST_CONFIG=$(cat artifacts/tts/qwen3_1.7b_bayesian/best_config.json | jq -r '.hyperparameters')
run() { printf '%s\0' "$@"; }
run train-qwen3 \
  --base-model Qwen/Qwen3-TTS-12Hz-1.7B-Base \
  --data-manifest datasets/horus/train_manifest_qwen3.jsonl \
  --out-dir artifacts/tts/horus_qwen3_1.7b_optimized \
  --lr $(echo $BEST_CONFIG | jq -r '.lr') \
  --gradient-accumulation-steps $(echo $BEST_CONFIG | jq -r '.gradient_accumulation_steps') \
  --weight-decay $(echo $BEST_CONFIG | jq -r '.weight_decay') \
  --lora-r $(echo $BEST_CONFIG | jq -r '.lora_r') \
  --lora-alpha $(echo $BEST_CONFIG | jq -r '.lora_alpha') \
  --warmup-steps $(echo $BEST_CONFIG | jq -r '.warmup_steps') \
  --use-lora --use-8bit-adam --gradient-checkpointing
"""


@pytest.mark.parametrize("line", LINES)
def test_a_documented_line_means_a_tool_with_valid_arguments(line: str) -> None:
    words = shlex.split(line)
    script = Path(words[1] if words[0] == "python" else words[0]).name
    if words[0] == "python":  # the scripts stand beside run.sh, and say which command they are
        [name] = re.findall(r'\[run, "([a-z0-9.-]+)"', (PROJECT_ROOT / script).read_text(encoding="utf-8"))
        words = [name, *words[2:]]
    else:
        words = words[1:]

    tool, arguments, _ = read(shlex.join(words))

    assert tool == {"iterative-train": "refine_voice", "tune-1.7b-bayesian": "tune_hparams"}[words[0]]
    assert arguments["manifest"].endswith(".jsonl")


def test_a_script_passes_its_words_on(tmp_path: Path) -> None:
    shutil.copy(PROJECT_ROOT / "iterative_train.py", tmp_path)
    (tmp_path / "run.sh").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (tmp_path / "run.sh").chmod(0o755)

    words = ["--model-path", "toy", "--eval-phrases", "two words"]
    told = subprocess.run(["python3", str(tmp_path / "iterative_train.py"), *words], capture_output=True, text=True)

    assert told.stdout == "iterative-train|--model-path|toy|--eval-phrases|two words|"


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq: apt-get install jq")
def test_what_was_found_is_applied_with_jq_as_documented(tmp_path: Path) -> None:
    ranges, fixed = preset_space("1.7b", 300)
    found: dict[str, Any] = fixed | {one.name: one.ends[-1] for one in ranges}
    config = tmp_path / "artifacts" / "tts" / "qwen3_1.7b_bayesian" / "best_config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"hyperparameters": found}))

    told = subprocess.run(["bash", "-c", APPLYING], cwd=tmp_path, capture_output=True, text=True, check=True)
    tool, arguments, _ = read(shlex.join(told.stdout.split("\0")[:-1]))

    assert tool == "start_training"
    assert {name: arguments[name] for name in found if name != "batch_size"} == {
        name: value for name, value in found.items() if name != "batch_size"
    }
