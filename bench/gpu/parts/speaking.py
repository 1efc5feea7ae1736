"""Speech of one and of many texts: stock generation of a model of random weights, with its memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from bench.gpu.support.case import Case, Outcome, Setting
from bench.gpu.support.memory_peak import MemoryPeak
from bench.support.train_step import SIZES, config_of, made_up_clips, random_model
from jobs.codec_format import FRAMES_PER_SECOND
from jobs.qwen.devices import describe_device, torch_dtype
from jobs.qwen.precision import synthesis_precision

BATCHES = (1, 8, 32)


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each size and batch."""
    for size in setting.sizes:
        for n_texts in BATCHES[: 2 if setting.tiny else None]:
            yield Case(f"{size} stock, {n_texts} texts at once", partial(_stock, setting, size, n_texts))


def _stock(setting: Setting, size: str, n_texts: int) -> Outcome:
    n_frames = 12 if setting.tiny else 100
    dtype = torch_dtype(synthesis_precision(describe_device(setting.device)))
    model = random_model(config_of(SIZES[size]), setting.device, dtype).eval()
    peak = MemoryPeak(setting.device)
    _generate(model, setting, n_texts, 4)
    peak.start()
    began = time.perf_counter()
    _generate(model, setting, n_texts, n_frames)
    if setting.is_gpu:
        torch.cuda.synchronize()
    rate = n_texts * n_frames / (time.perf_counter() - began)
    figures = {
        "frames_per_s": round(rate, 1), "real_time": round(rate / FRAMES_PER_SECOND, 2), "format": str(dtype)[6:],
        "peak_gb": round(peak.allocated() / 1e9, 2),
    }  # fmt: skip
    return Outcome("measured", "Frames of codes; the codec's decoder is not in it.", figures)


def _generate(model: Any, setting: Setting, n_texts: int, n_frames: int) -> None:
    clips = made_up_clips(SIZES[_size_of(model)], n_texts, (4.0, 4.0))
    tail = torch.zeros(5, dtype=torch.long)
    prompt = {
        "ref_code": None, "ref_spk_embedding": [clip.speaker.to(setting.device) for clip in clips],
        "x_vector_only_mode": [True] * n_texts, "icl_mode": [False] * n_texts,
    }  # fmt: skip
    model.generate(
        input_ids=[torch.cat([clip.text_ids, tail])[None].to(setting.device) for clip in clips],
        instruct_ids=[None] * n_texts, languages=["auto"] * n_texts, voice_clone_prompt=prompt,
        non_streaming_mode=True, min_new_tokens=n_frames, max_new_tokens=n_frames,
    )  # fmt: skip


def _size_of(model: Any) -> str:
    hidden = model.config.talker_config.hidden_size
    return next(name for name, shape in SIZES.items() if shape.talker.hidden == hidden)
