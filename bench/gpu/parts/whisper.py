"""Whisper and alignment on the device.

Whisper hears the sample recording with given weights; or, tiny, random ones, for the code path. The aligner's weights
are random: when it says that a word begins must be as on the CPU.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.gpu.support.case import Case, Outcome, Setting, judge, left_out
from jobs.asr.wer import word_error_rate
from jobs.asr.whisper import Transcriber
from jobs.asr.whisperx_alignment import Aligner
from jobs.audio.clip_io import read_clip
from jobs.settings import PROJECT_ROOT
from jobs.text.english_normalization import spoken_words
from tests.support.toy.models import make_toy_aligner, make_toy_whisper

RECORDING, TEXT = (PROJECT_ROOT / "samples" / f"fables.{ending}" for ending in ("m4b", "txt"))
RATE_HZ = 16_000
SPAN_S = 20.0
TINY_S = 4.0  # random weights fail every check, so every window is heard again and again
WORST_WER = 0.15
ALIGNED_S, FRAME_S = 6.0, 0.02


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each number format of CTranslate2."""
    formats = ("float16", "int8_float16") if setting.is_gpu else ("int8", "float32")
    for compute_type in formats[: 1 if setting.tiny else None]:
        yield Case(compute_type, partial(_hear, setting, compute_type))
    yield Case("alignment beside the CPU", partial(_align, setting))


def _align(setting: Setting) -> Outcome:
    folder = make_toy_aligner(setting.folder / "aligner")
    samples = read_clip(RECORDING, RATE_HZ)[: int(ALIGNED_S * RATE_HZ)]
    words = ["the", "fox", "and", "the", "crow"]
    there = Aligner("english", str(folder), "cpu").align(samples, words)
    aligner = Aligner("english", str(folder), "cuda" if setting.is_gpu else "cpu")
    began = time.perf_counter()
    here = aligner.align(samples, words)
    took = time.perf_counter() - began
    apart = max(abs(a.start_s - b.start_s) for a, b in zip(here, there, strict=True))
    return judge(
        apart <= FRAME_S, f"Words begin at most {apart * 1000:.0f} ms from where the CPU has them.",
        apart_s=round(apart, 3), audio_s=ALIGNED_S, seconds=round(took, 3),
    )  # fmt: skip


def _hear(setting: Setting, compute_type: str) -> Outcome:
    if setting.whisper is None and not setting.tiny:
        return left_out("--whisper FOLDER names no CTranslate2 weights.")
    folder = setting.whisper or make_toy_whisper(setting.folder / "whisper")
    device = "cuda" if setting.is_gpu else "cpu"
    heard = Transcriber(str(folder), device, compute_type=compute_type)
    samples = read_clip(RECORDING, RATE_HZ)[: int(TINY_S * RATE_HZ) if setting.tiny else None]
    seconds = len(samples) / RATE_HZ
    starts = range(0, int(seconds) - 1, int(SPAN_S))
    spans = [(float(start), min(start + SPAN_S, seconds)) for start in starts]
    began = time.perf_counter()
    segments = [segment for span in heard.transcribe_spans(samples, spans, "english") for segment in span]
    took = time.perf_counter() - began
    figures = {"real_time": round(seconds / took, 1), "audio_s": round(seconds, 1), "segments": len(segments)}
    if setting.whisper is None:
        return judge(True, "The random weights ran; their words are noise.", **figures)
    wer = word_error_rate(
        spoken_words(Path(TEXT).read_text(encoding="utf-8")), spoken_words(" ".join(each.text for each in segments))
    )
    return judge(wer <= WORST_WER, f"The word error rate is {wer:.3f}.", word_error_rate=round(wer, 4), **figures)
