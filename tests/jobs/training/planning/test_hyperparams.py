"""A search's best settings go into a training as they are; what the caller gives wins."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.planning.hyperparams import read_hyperparams
from jobs.training.spec import KIND


def write(folder: Path, content: Any) -> Path:
    """A file of settings."""
    path = folder / "best_config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_settings_fill_in_what_the_caller_left_open(
    tmp_path: Path, settings: Settings, make_params: Callable[..., Params]
) -> None:
    path = write(tmp_path, {"hyperparameters": {"lr": 3e-6, "method": "lora", "lora_r": 32}, "trial": 4})

    found = KIND.make_suggestions(make_params(hyperparams=str(path), lr=1e-4), {"lr", "hyperparams"}, settings)

    assert found == {"method": "lora", "lora_r": 32}


def test_the_settings_alone_will_do(tmp_path: Path) -> None:
    assert read_hyperparams(write(tmp_path, {"lr": 3e-6, "warmup_steps": 12})) == {"lr": 3e-6, "warmup_steps": 12}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "cannot be read"),
        ([1], "not an object"),
        ({}, "not an object"),
        ({"hyperparameters": {"learning_rate": 1}}, "learning_rate"),
        ({"hyperparameters": {"out_dir": "/etc"}}, "out_dir"),
        ({"hyperparameters": {"lr": 7}}, "lr: "),
        ({"hyperparameters": {"method": "full", "load_in_4bit": True}}, "4-bit"),
    ],
)
def test_a_file_that_is_none_says_what_is_wrong(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        read_hyperparams(write(tmp_path, content))

    assert refused.value.code == "hyperparams_invalid"


@pytest.mark.parametrize(
    ("name", "value"),
    [("encoder_from", "stranger/model"), ("log_to", ["wandb"]), ("n_processes", 64), ("lora_targets", "(a+)+#"),
     ("out_dir", "/home"), ("references", ["a.wav"]), ("extend", "voice")],
)  # fmt: skip
def test_a_file_chooses_no_model_path_service_or_pattern(tmp_path: Path, name: str, value: Any) -> None:
    path = tmp_path / "best_config.json"
    path.write_text(json.dumps({"lr": 1e-5, name: value}))

    with pytest.raises(UserError, match=f"{name} cannot be set by a file") as refused:
        read_hyperparams(path)

    assert refused.value.code == "hyperparams_invalid"
    path.write_text(json.dumps({"lora_targets": "all"}))
    assert read_hyperparams(path) == {"lora_targets": "all"}


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.json"):
        read_hyperparams(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"hyperparameters": ' + '{"lr": ' * 50_000,
        '{"lr": 1e400}',
        '{"lr": NaN}',
        '{"lr": ' + "9" * 5_000 + "}",
        '{"epochs": ' + "9" * 400 + "}",
        '{"\\ud800": 1}',
        json.dumps({f"{number:0>50}": 1 for number in range(10_000)}),
    ],
)
def test_a_file_that_no_search_wrote_is_refused_in_few_words(content: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_hyperparams(write(tmp_path, content))

    assert caught.value.code == "hyperparams_invalid"
    assert len(caught.value.message) < 1_000


def test_a_pipe_and_a_file_of_gigabytes_are_no_settings(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 3_000_000_000)

    for name, code in (("pipe", "file_not_regular"), ("large", "file_too_large")):
        with pytest.raises(UserError) as caught:
            read_hyperparams(tmp_path / name)
        assert caught.value.code == code
