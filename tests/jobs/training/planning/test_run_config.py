"""Settings that the parameters leave open are resolved."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.training.params import Params
from jobs.training.planning.run_config import epochs_for, make_sampler, resolve_run_config


def params_of(**given: object) -> Params:
    """Parameters of a run on some manifest."""
    return Params(manifest="/data/coded.jsonl", **given)


@pytest.mark.parametrize(
    ("method", "hours", "epochs"),
    [("full", 0.1, 2), ("full", 2.9, 2), ("full", 3.0, 1), ("full", 40, 1),
     ("lora", 0.05, 6), ("lora", 0.3, 3), ("lora", 1, 2), ("lora", 40, 2)],
)  # fmt: skip
def test_epochs_follow_the_hours_of_speech(method: str, hours: float, epochs: int) -> None:
    assert epochs_for(method, hours) == epochs


def test_what_is_not_given_is_resolved_and_what_is_given_stands() -> None:
    open_params, given = params_of(), params_of(epochs=7, lr=1e-4, warmup_steps=9, max_steps=500)
    lengths = [100] * 1000

    left = resolve_run_config(open_params, make_sampler(open_params, lengths), speech_s=4 * 3600)
    told = resolve_run_config(given, make_sampler(given, lengths), speech_s=4 * 3600)

    assert vars(left) == {"epochs": 1, "total_steps": 250, "lr": 5e-6, "warmup_steps": 25}
    assert vars(told) == {"epochs": 7, "total_steps": 500, "lr": 1e-4, "warmup_steps": 9}


def test_warm_up_is_a_tenth_of_a_short_run_and_fifty_steps_of_a_long_one() -> None:
    params = params_of(epochs=4)

    short, long = (resolve_run_config(params, make_sampler(params, [100] * n), speech_s=600) for n in (40, 4000))

    assert (short.total_steps, short.warmup_steps) == (40, 4)
    assert (long.total_steps, long.warmup_steps) == (4000, 50)


def test_accumulation_and_processes_make_fewer_steps() -> None:
    params = params_of(epochs=1, gradient_accumulation_steps=2, n_processes=2, batch_size=5)

    assert resolve_run_config(params, make_sampler(params, [100] * 200), speech_s=600).total_steps == 10


@pytest.mark.parametrize(
    ("changes", "lr"),
    [
        ({"method": "full"}, 5e-6),
        ({"method": "lora"}, 1e-4),
        ({"method": "lora", "lora_r": 64}, 1e-4),
        ({"method": "lora", "lora_r": 64, "lora_alpha": 128}, 2.5e-5),
        ({"method": "lora", "lora_rslora": True}, 2.5e-5),
        ({"method": "lora", "lr": 2e-6}, 2e-6),
    ],
)
def test_the_default_rate_of_adapters_falls_with_their_strength(changes: dict[str, Any], lr: float) -> None:
    params = Params(manifest="none", **changes)

    config = resolve_run_config(params, make_sampler(params, [100] * 40), 600.0)

    assert config.lr == pytest.approx(lr)


def test_steps_that_are_wanted_take_as_many_epochs_as_they_need() -> None:
    wanted, both, few = params_of(max_steps=95), params_of(max_steps=95, epochs=2), params_of(max_steps=3)
    by_tokens = params_of(max_steps=95, batch_tokens=450)
    lengths = [100] * 40  # ten steps an epoch

    found = [resolve_run_config(p, make_sampler(p, lengths), speech_s=320) for p in (wanted, both, few, by_tokens)]

    assert [(one.epochs, one.total_steps) for one in found] == [(10, 95), (2, 20), (2, 3), (10, 95)]
