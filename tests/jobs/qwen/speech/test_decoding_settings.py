"""Every setting of stock's sampling is given, so that no file of a model decides one."""

from __future__ import annotations

import inspect

from jobs.qwen.speech.decoding_settings import SAMPLING, Decoding
from jobs.qwen.upstream import qwen_tts
from jobs.synthesize.params import Params


def test_every_setting_that_stock_takes_is_given() -> None:
    taken = set(inspect.signature(qwen_tts().Qwen3TTSModel._merge_generate_kwargs).parameters) - {"self", "kwargs"}

    assert set(Decoding().to_stock(10)) == taken


def test_the_code_predictor_samples_as_the_talker_unless_it_is_told_otherwise() -> None:
    alike = Decoding(greedy=True, temperature=0.5, top_k=7, top_p=0.8).to_stock(10)
    apart = Decoding(subtalker_greedy=True, subtalker_temperature=0.4, subtalker_top_k=3, subtalker_top_p=0.6).to_stock(
        1
    )

    assert [alike[f"subtalker_{name}"] for name in ("dosample", "temperature", "top_k", "top_p")] == [
        False,
        0.5,
        7,
        0.8,
    ]
    assert [apart[f"subtalker_{name}"] for name in ("dosample", "temperature", "top_k", "top_p")] == [
        False,
        0.4,
        3,
        0.6,
    ]
    assert (apart["do_sample"], apart["temperature"], apart["max_new_tokens"]) == (True, 0.9, 3)


def test_synthesize_has_every_setting_with_the_same_default() -> None:
    assert {name: Params.model_fields[name].default for name in SAMPLING} == {
        name: getattr(Decoding(), name) for name in SAMPLING
    }
