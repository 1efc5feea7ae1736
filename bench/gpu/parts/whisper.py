"""Whisper on the device: the sample recording heard with given weights; or, tiny, the code path with random ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.gpu.support.case import Case, Outcome, Setting, judge, left_out
from jobs.asr.wer import word_error_rate
from jobs.asr.whisper import Transcriber
from jobs.audio.clip_io import read_clip
from jobs.settings import PROJECT_ROOT
from jobs.text.english_normalization import spoken_words
from tests.support.toy.models import make_toy_whisper

RECORDING, TEXT = (PROJECT_ROOT / "samples" / f"fables.{ending}" for ending in ("m4b", "txt"))
RATE_HZ = 16_000
SPAN_S = 20.0
TINY_S = 4.0  # random weights fail every check, so every window is heard again and again
WORST_WER = 0.15


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each number format of CTranslate2."""
    formats = ("float16", "int8_float16") if setting.is_gpu else ("int8", "float32")
    for compute_type in formats[: 1 if setting.tiny else None]:
        yield Case(compute_type, partial(_hear, setting, compute_type))


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
