"""Speech of one and of many texts by a model of random weights: stock's generation and ours, with their memory.

On a GPU our loop is measured twice, with its operations started one by one and as a recorded graph, whose codes must be
those of the operations. A stream is measured with a codec of the released size.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from bench.gpu.support.case import Case, Outcome, Setting, judge
from bench.gpu.support.memory_peak import MemoryPeak
from bench.gpu.support.released_codec import random_codec
from bench.speech.speak import make_takes, make_voice
from bench.support.train_step import SIZES, config_of, made_up_clips, random_model
from jobs.codec_format import FRAMES_PER_SECOND, SAMPLE_RATE_HZ
from jobs.qwen.devices import describe_device, torch_dtype
from jobs.qwen.precision import synthesis_precision
from jobs.qwen.speech.cuda_graph import record_on
from jobs.qwen.speech.decode_loop import DecodeLoop
from jobs.qwen.speech.decoder_weights import DecoderWeights
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.prompts import build_prompt
from jobs.qwen.speech.takes import TakeRequest
from jobs.qwen.train.sequence_layout import Example

BATCHES = (1, 8, 32)
FRAMES = {"cuda": 100, "cpu": 16, "tiny": 12}
N_COMPARED = 4
"""First frames whose codes a graph must repeat; later ones depend on rounding."""
STREAM_S = {"cuda": 10.0, "cpu": 2.0, "tiny": 2.0}


@dataclass(frozen=True)
class Spoken:
    """Frames of a measurement, its seconds and CPU seconds, and the codes of the first text."""

    n_frames: int
    seconds: float
    cpu_s: float
    codes: Tensor


Speak = Callable[[Any, Setting, int, int], Spoken]


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each size and batch, and one for a stream."""
    for size in setting.sizes:
        for n_texts in BATCHES[: None if setting.is_gpu else 2]:
            named = f"{size} {{}}, {n_texts} texts at once"
            yield Case(named.format("stock"), partial(_measure, _by_stock, setting, size, n_texts))
            if setting.is_gpu:
                yield Case(named.format("ours, no graph"), partial(_measure, _by_operations, setting, size, n_texts))
                yield Case(named.format("ours"), partial(_graph, setting, size, n_texts))
            else:
                yield Case(named.format("ours"), partial(_measure, _by_loop, setting, size, n_texts))
        yield Case(f"{size} first audio", partial(_first_audio, setting, size))


def _scale(setting: Setting) -> str:
    return "tiny" if setting.tiny else "cuda" if setting.is_gpu else "cpu"


def _model(setting: Setting, size: str) -> Any:
    dtype = torch_dtype(synthesis_precision(describe_device(setting.device)))
    model = random_model(config_of(SIZES[size]), setting.device, dtype).eval()
    # a score of 0 is never among the 50 highest of 2,049: no take ends before its limit
    model.talker.codec_head.weight.data[model.config.talker_config.codec_eos_token_id] = 0
    return model


def _measure(speak: Speak, setting: Setting, size: str, n_texts: int) -> Outcome:
    model = _model(setting, size)
    return Outcome("measured", "Frames of codes, without the codec.", _figures(speak, model, setting, n_texts)[0])


def _figures(speak: Speak, model: Any, setting: Setting, n_texts: int) -> tuple[dict[str, Any], Spoken]:
    peak = MemoryPeak(setting.device)
    speak(model, setting, n_texts, 2)
    peak.start()
    spoken = speak(model, setting, n_texts, FRAMES[_scale(setting)])
    rate = spoken.n_frames / spoken.seconds
    figures = {
        "frames_per_s": round(rate, 1), "real_time": round(rate / FRAMES_PER_SECOND, 2),
        "format": str(model.talker.dtype)[6:], "peak_gb": round(peak.allocated() / 1e9, 2),
    }  # fmt: skip
    if not setting.is_gpu:
        figures["frames_per_cpu_s"] = round(spoken.n_frames / spoken.cpu_s, 2)
    return figures, spoken


def _graph(setting: Setting, size: str, n_texts: int) -> Outcome:
    """Measure the loop with a graph, and compare its codes with those of the operations."""
    model = _model(setting, size)
    expected = _by_operations(model, setting, n_texts, N_COMPARED).codes
    figures, spoken = _figures(_by_loop, model, setting, n_texts)
    same = bool((spoken.codes[:N_COMPARED] == expected[:N_COMPARED]).all())
    return judge(same, "The codes are those without a graph." if same else "The graph makes other codes.", **figures)


def _by_loop(model: Any, setting: Setting, n_texts: int, n_frames: int) -> Spoken:
    """Decode as ``synthesize`` does. The prompts are not timed, nor is a graph's recording with the first frame.

    Raises:
        RuntimeError: no frame could be recorded on a GPU.
    """
    loop = DecodeLoop(DecoderWeights(model), n_texts, Decoding())
    spoken = _decode(loop, model, setting, n_texts, n_frames)
    if loop.is_recorded != (record_on(torch.device(setting.device)) is not None):
        raise RuntimeError("no frame could be recorded; the warning above says why")
    return spoken


def _by_operations(model: Any, setting: Setting, n_texts: int, n_frames: int) -> Spoken:
    """Decode with the operations of a graph, started one by one."""
    loop = DecodeLoop(DecoderWeights(model), n_texts, Decoding(), record=lambda frame, _: SimpleNamespace(replay=frame))
    return _decode(loop, model, setting, n_texts, n_frames)


def _decode(loop: DecodeLoop, model: Any, setting: Setting, n_texts: int, n_frames: int) -> Spoken:
    upstream = SimpleNamespace(model=model, processor=None, generate_defaults={})
    slots = []
    for number, clip in enumerate(made_up_clips(SIZES[_size_of(model)], n_texts, (4.0, 4.0))):
        prompt = build_prompt(upstream, lambda preparing, clip=clip: _call(preparing.model, setting, [clip]))  # type: ignore[misc]
        slots.append(loop.admit(TakeRequest(number, prompt, number, n_frames)))
    loop.step()
    began, cpu = _clock(setting), time.process_time()
    for _ in range(n_frames - 1):
        loop.step()
    seconds, cpu_s = _clock(setting) - began, time.process_time() - cpu
    return Spoken(n_texts * (n_frames - 1), seconds, cpu_s, torch.tensor(slots[0].frames))


def _by_stock(model: Any, setting: Setting, n_texts: int, n_frames: int) -> Spoken:
    """Generate as stock does, prompts included."""
    clips = made_up_clips(SIZES[_size_of(model)], n_texts, (4.0, 4.0))
    began, cpu = _clock(setting), time.process_time()
    # the last token gets no frame
    codes = _call(model, setting, clips, max_new_tokens=n_frames + 1)[0]
    seconds, cpu_s = _clock(setting) - began, time.process_time() - cpu
    return Spoken(sum(map(len, codes)), seconds, cpu_s, codes[0].cpu())


def _clock(setting: Setting) -> float:
    if setting.is_gpu:
        torch.cuda.synchronize()
    return time.perf_counter()


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


def _first_audio(setting: Setting, size: str) -> Outcome:
    """Stream a text: when its first samples come, and how much faster than speech the whole is."""
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        voice = make_voice(size, setting.device, Path(folder))
    if not setting.tiny:
        voice.upstream.model.load_speech_tokenizer(random_codec(setting.device))
    text, decoding = make_takes(1, 1)[0]
    list(voice.stream(text, replace(decoding, max_seconds=0.5)))
    peak = MemoryPeak(setting.device)
    peak.start()
    began, n_samples, first_s = time.perf_counter(), 0, 0.0
    for samples in voice.stream(text, replace(decoding, max_seconds=STREAM_S[_scale(setting)])):
        first_s = first_s or time.perf_counter() - began
        n_samples += len(samples)
    whole_s, audio_s = time.perf_counter() - began, n_samples / SAMPLE_RATE_HZ
    codec = "a toy's codec" if setting.tiny else "a codec of the released size"
    return judge(
        first_s < whole_s and whole_s > 0, f"A stream with {codec}.", first_s=round(first_s, 3),
        whole_s=round(whole_s, 2), audio_s=round(audio_s, 2), real_time=round(audio_s / whole_s, 2),
        peak_gb=round(peak.allocated() / 1e9, 2),
    )  # fmt: skip
