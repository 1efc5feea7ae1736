"""Speech of one and of many texts by a model of random weights: stock's generation and ours, with their memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch

from bench.gpu.support.case import Case, Outcome, Setting
from bench.gpu.support.memory_peak import MemoryPeak
from bench.support.train_step import SIZES, config_of, made_up_clips, random_model
from jobs.codec_format import FRAMES_PER_SECOND
from jobs.qwen.devices import describe_device, torch_dtype
from jobs.qwen.precision import synthesis_precision
from jobs.qwen.speech.decode_loop import DecodeLoop
from jobs.qwen.speech.decoder_weights import DecoderWeights
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.prompts import build_prompt
from jobs.qwen.speech.takes import TakeRequest
from jobs.qwen.train.sequence_layout import Example

BATCHES = (1, 8, 32)
Generate = Callable[[Any, Setting, int, int], int]


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each size and batch."""
    for size in setting.sizes:
        for n_texts in BATCHES[: 2 if setting.tiny else None]:
            for name, generate in (("stock", _generate), ("ours", _decode)):
                yield Case(f"{size} {name}, {n_texts} texts at once", partial(_speak, generate, setting, size, n_texts))


def _speak(generate: Generate, setting: Setting, size: str, n_texts: int) -> Outcome:
    n_frames = 12 if setting.tiny else 100 if setting.is_gpu else 12
    dtype = torch_dtype(synthesis_precision(describe_device(setting.device)))
    model = random_model(config_of(SIZES[size]), setting.device, dtype).eval()
    # a score of 0 is never among the 50 highest of 2,049: no take ends before its limit
    model.talker.codec_head.weight.data[model.config.talker_config.codec_eos_token_id] = 0
    peak = MemoryPeak(setting.device)
    generate(model, setting, n_texts, 4)
    began = time.perf_counter()
    generate(model, setting, n_texts, 1)
    first_s = time.perf_counter() - began
    peak.start()
    began = time.perf_counter()
    n_made = generate(model, setting, n_texts, n_frames)
    if setting.is_gpu:
        torch.cuda.synchronize()
    rate = n_made / (time.perf_counter() - began)
    figures = {
        "frames_per_s": round(rate, 1), "real_time": round(rate / FRAMES_PER_SECOND, 2), "format": str(dtype)[6:],
        "first_frame_s": round(first_s, 3),
        "peak_gb": round(peak.allocated() / 1e9, 2),
    }  # fmt: skip
    return Outcome("measured", "Frames of codes, without the codec's decoder.", figures)


def _decode(model: Any, setting: Setting, n_texts: int, n_frames: int) -> int:
    """Decode by our loop and return the number of frames; on a GPU each call records its frame anew."""
    upstream = SimpleNamespace(model=model, processor=None, generate_defaults={})
    clips = made_up_clips(SIZES[_size_of(model)], n_texts, (4.0, 4.0))
    prompts = [
        build_prompt(upstream, lambda preparing, clip=clip: _call(preparing.model, setting, [clip]))  # type: ignore[misc]
        for clip in clips
    ]
    loop = DecodeLoop(DecoderWeights(model), n_texts, Decoding())
    requests = [TakeRequest(number, prompt, number, n_frames - 1) for number, prompt in enumerate(prompts)]
    return sum(len(take.codes) for take in loop.run(requests))


def _generate(model: Any, setting: Setting, n_texts: int, n_frames: int) -> int:
    """Generate by stock and return the number of frames."""
    clips = made_up_clips(SIZES[_size_of(model)], n_texts, (4.0, 4.0))
    # the last token gets no frame
    return sum(len(codes) for codes in _call(model, setting, clips, max_new_tokens=n_frames + 1)[0])


def _call(model: Any, setting: Setting, clips: Sequence[Example], **options: Any) -> Any:
    """Call stock's ``generate``."""
    tail = torch.zeros(5, dtype=torch.long)
    n_texts = len(clips)
    prompt = {
        "ref_code": None, "ref_spk_embedding": [clip.speaker.to(setting.device) for clip in clips],
        "x_vector_only_mode": [True] * n_texts, "icl_mode": [False] * n_texts,
    }  # fmt: skip
    return model.generate(
        input_ids=[torch.cat([clip.text_ids, tail])[None].to(setting.device) for clip in clips],
        instruct_ids=[None] * n_texts, languages=["auto"] * n_texts, voice_clone_prompt=prompt,
        non_streaming_mode=True, **options,
    )  # fmt: skip


def _size_of(model: Any) -> str:
    hidden = model.config.talker_config.hidden_size
    return next(name for name, shape in SIZES.items() if shape.talker.hidden == hidden)
