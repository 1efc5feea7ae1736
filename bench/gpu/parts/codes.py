"""The codec's encoder: batches on the device beside the CPU, clip by clip."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np

from bench.dataset.codes import real_shape
from bench.gpu.support.case import Case, Outcome, Setting, judge
from bench.gpu.support.memory_peak import MemoryPeak
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.dataset.manifest import Clip, read_rows
from jobs.qwen.codec import Codec, load_codec
from jobs.qwen.toy.checkpoints import TOY_CODEC
from tests.support.kills.conversion_kills import make_dataset

BATCHES = (1, 8, 32)
COMPARED = 8  # clips; a CPU takes its time
MAY_DIFFER = 0.002  # of the codes: where two entries of a codebook are almost equally near, rounding decides


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each batch size."""
    for size in BATCHES[: None if setting.is_gpu else 2]:
        yield Case(f"batches of {size}", partial(_encode, setting, size))


@cache
def _codec(folder: Path, device: str, is_tiny: bool) -> Codec:
    released = folder / "codec"
    if not is_tiny and not (released / "preprocessor_config.json").exists():
        real_shape(released)
    return load_codec(TOY_CODEC if is_tiny else released, device, encoder_only=True)


def _encode(setting: Setting, size: int) -> Outcome:
    clips = _clips(setting.folder / f"clips-{size}", size)
    seconds = sum(len(clip) for clip in clips) / SAMPLE_RATE_HZ
    codec = _codec(setting.folder, setting.device, setting.tiny)
    codec.encode(clips[:1])
    peak = MemoryPeak(setting.device)
    peak.start()
    began = time.perf_counter()
    codes = codec.encode_together(_padded(clips)) if setting.is_gpu else codec.encode(clips)
    took = time.perf_counter() - began
    there = _codec(setting.folder, "cpu", setting.tiny)
    alone = [there.encode_together(_padded([clip]))[0] for clip in clips[:COMPARED]]
    n_codes = sum(each.size for each in alone)
    differ = sum(int((a != b).sum()) for a, b in zip(codes[:COMPARED], alone, strict=True)) / n_codes
    return judge(
        differ <= MAY_DIFFER, f"{differ:.2%} of {n_codes} codes differ from the CPU's.",
        real_time=round(seconds / took, 1), audio_s=round(seconds, 1), peak_gb=round(peak.allocated() / 1e9, 2),
        codes_that_differ=round(differ, 5),
    )  # fmt: skip


def _padded(clips: list[np.ndarray]) -> list[np.ndarray]:
    return [np.pad(clip, (0, -len(clip) % 1920)) for clip in clips]


def _clips(folder: Path, n_clips: int) -> list[np.ndarray]:
    import soundfile

    if not folder.exists():
        make_dataset(folder, n_clips)
    rows = read_rows(folder / "train_manifest.jsonl", Clip)
    return [soundfile.read(folder / row.audio, dtype="float32")[0] for row in rows][:n_clips]
