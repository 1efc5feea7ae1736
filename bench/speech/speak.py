"""Speed of speaking, ours beside stock's: ``./run.sh bench speak``.

    ./run.sh bench speak                        the toy, then the size of the released 0.6B (random weights, 10 GB)
    ./run.sh bench speak --size 0.6b --frames 40 --batches 1 8 16
    ./run.sh bench speak --device cuda --size 1.7b --batches 1 8 32 --faster VENV/bin/python

Stock's ``generate_custom_voice`` and our loop speak the same texts with the same seeds in turns, in one process with
one thread. The figures are frames a CPU second (on a GPU: a second), with prompt and the toy's codec. The first text's
samples are compared. Operations are counted by the profiler: those that compute, views not counted. One JSON object a
line; the exit status is 1 where a goal is missed. ``--faster`` names the Python of an environment with faster-qwen3-tts
0.3.2, which is no part of this project's (``uv pip install faster-qwen3-tts==0.3.2 qwen-tts==0.1.1``): the same weights
and text are spoken there too. It needs CUDA; on a CPU only its calls are checked. ``--compile``
compares the loop with one whose frame is compiled by ``torch.compile`` instead: compiling takes minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.support.compiled_frame import compare
from bench.support.faster_qwen3 import measure_faster, write_weights
from bench.support.memory import peak_rss_mb
from bench.support.operations import count_operations
from bench.support.train_step import SIZES, config_of, random_model
from jobs.codec_format import FRAMES_PER_SECOND
from jobs.qwen.devices import describe_device, torch_dtype
from jobs.qwen.loading import load_processor, load_tokenizer
from jobs.qwen.precision import synthesis_precision
from jobs.qwen.speech.decoder_weights import DecoderWeights
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.sound import Speech
from jobs.qwen.speech.synthesizer import Synthesizer
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.qwen.upstream import qwen_tts

# frames a second as a multiple of stock's with one text (issue 19)
GOALS = {("tiny", 1): 2.4, ("0.6b", 1): 1.05, ("0.6b", 8): 3.5, ("0.6b", 16): 5.0}
MOST_OPERATIONS = 0.5  # of stock's
MOST_WAITS = 1  # a frame
STREAM_S = 10
MOST_FIRST_SHARE = 0.25  # of the time of the whole stream
# on a GPU: real time of several takes, and speed of one as a multiple of that of faster-qwen3-tts (issue 19)
LEAST_REAL_TIME, LEAST_TIMES_FASTER = 15.0, 1.0
WORDS = ("the", "evening", "train", "was", "late", "so", "we", "walked", "home", "along", "a", "river", "and", "saw")

Take = tuple[str, Decoding]


def make_voice(size: str, device: str, folder: Path) -> Synthesizer:
    """A voice of a size with random weights, a toy's tokenizer and codec."""
    make_toy_base(folder, shape="1.7b")
    toy = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = {"<|im_start|>": "im_start", "<|im_end|>": "im_end", "<tts_pad>": "tts_pad", "<tts_text_bos>": "tts_bos"}
    names["<tts_text_eod>"] = "tts_eos"
    config = config_of(SIZES[size], {token: toy[f"{name}_token_id"] for token, name in names.items()})
    config |= {"tts_model_type": "custom_voice", "tts_model_size": "1b7"}
    config["talker_config"] |= {"spk_id": {"fox": 2900}, "spk_is_dialect": {"fox": False}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    dtype = torch_dtype(synthesis_precision(describe_device(device)))
    torch.manual_seed(0)
    model = random_model(config, device, dtype).eval()
    # a score of 0 is never among the 50 highest of 2,049: no take ends before its limit
    model.talker.codec_head.weight.data[config["talker_config"]["codec_eos_token_id"]] = 0
    model.load_speech_tokenizer(load_tokenizer(folder / "speech_tokenizer", device))
    upstream = qwen_tts().Qwen3TTSModel(model=model, processor=load_processor(folder), generate_defaults={})
    return Synthesizer(upstream, "fox", "english", None, weights=DecoderWeights(model))


def make_takes(n: int, n_frames: int) -> list[Take]:
    """Texts of eight to twelve words, each with its seed."""
    texts = (" ".join(WORDS[(number + word) % len(WORDS)] for word in range(8 + number % 5)) for number in range(n))
    return [(text, Decoding(seed=seed, max_seconds=n_frames / FRAMES_PER_SECOND)) for seed, text in enumerate(texts)]


def clock(device: str) -> float:
    """CPU seconds of this process, or seconds when a GPU does the work and is done."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def timed(device: str, work: Callable[[], Sequence[Speech]]) -> tuple[float, Sequence[Speech]]:
    """Do work and return its frames a second."""
    began = clock(device)
    speeches = work()
    seconds = clock(device) - began
    return sum(speech.duration_s for speech in speeches) * FRAMES_PER_SECOND / seconds, speeches


def ours(voice: Synthesizer, takes: Sequence[Take]) -> list[Speech]:
    """Speak all takes at once with our loop."""
    found = dict(voice.synthesize_all(takes, n_slots=len(takes)))
    return [found[number] for number in range(len(takes))]


def speed(voice: Synthesizer, device: str, n_frames: int, batches: Sequence[int], rounds: int) -> dict[str, Any]:
    """Frames a second of both sides, the best of some rounds, and whether the takes are the same."""
    takes = make_takes(max(batches), n_frames)
    warm = make_takes(1, 3)
    voice.synthesize_by_stock(*warm[0])
    ours(voice, warm)
    rates: dict[str, list[float]] = {}
    is_same = True
    for _ in range(rounds):
        rate, (expected,) = timed(device, lambda: [voice.synthesize_by_stock(*takes[0])])
        rates.setdefault("stock", []).append(rate)
        for n in batches:
            rate, speeches = timed(device, partial(ours, voice, takes[:n]))
            rates.setdefault(f"ours_{n}", []).append(rate)
            is_same = is_same and np.array_equal(speeches[0].samples, expected.samples)
    best = {name: max(found) for name, found in rates.items()}
    return {
        "frames_per_s": {name: round(rate, 2) for name, rate in best.items()},
        "times_stock": {n: round(best[f"ours_{n}"] / best["stock"], 2) for n in batches},
        "first_take_is_stocks": is_same,
        "frames": n_frames,
    }


def first_audio(voice: Synthesizer, device: str) -> dict[str, Any]:
    """Time of a stream's first samples and of all of them, for a text of ten seconds."""
    text, decoding = make_takes(1, 1)[0]
    began = clock(device)
    times = [clock(device) - began for _ in voice.stream(text, replace(decoding, max_seconds=STREAM_S))]
    share = times[0] / times[-1]
    return {"stream": {"first_s": round(times[0], 3), "whole_s": round(times[-1], 2), "share": round(share, 3)}}


def operations(voice: Synthesizer) -> dict[str, Any]:
    """Operations and waits of a frame: the difference of a long and a short take, so that the prompt is not in it."""
    text, decoding = make_takes(1, 1)[0]
    few, many = (replace(decoding, max_seconds=n / FRAMES_PER_SECOND) for n in (2, 6))
    found = {}
    for name, speak in (("stock", voice.synthesize_by_stock), ("ours", voice.synthesize)):
        counts = [count_operations(partial(speak, text, how)) for how in (few, many)]
        found[name] = {kind: round((counts[1][kind] - counts[0][kind]) / 4, 1) for kind in counts[0]}
    return {"operations_a_frame": found}


def beside_faster(
    voice: Synthesizer, python: Path, folder: Path, device: str, n_frames: int, rounds: int, ours_: dict[str, Any]
) -> dict[str, Any]:
    """Figures of faster-qwen3-tts with the same weights and text, and our speed with one text as a multiple of its."""
    model = voice.upstream.model
    write_weights(model, folder)
    found = measure_faster(
        python, folder, [make_takes(1, 1)[0][0]], device=device, dtype=str(model.dtype).removeprefix("torch."),
        n_frames=n_frames, stream_frames=round(STREAM_S * FRAMES_PER_SECOND), rounds=rounds,
    )  # fmt: skip
    times = {}
    if "frames_per_s" in found:
        times = {"times_faster": round(ours_["frames_per_s"]["ours_1"] / found["frames_per_s"], 2)}
    return {"faster_qwen3_tts": found} | times


def missed(size: str, figures: dict[str, Any]) -> list[str]:
    """Name the goals that figures miss: on a GPU those of a GPU."""
    found = []
    if figures["device"] != "cpu":
        real_time = max(figures["real_time"].values())
        if real_time < LEAST_REAL_TIME:
            found.append(f"{real_time} times real time, not {LEAST_REAL_TIME:g}")
        if figures.get("times_faster", LEAST_TIMES_FASTER) < LEAST_TIMES_FASTER:
            found.append("one text is slower than by faster-qwen3-tts")
        return found
    for n, times in figures["times_stock"].items():
        if times < GOALS.get((size, n), 0):
            found.append(f"{times} times stock with {n} at once, not {GOALS[size, n]}")
    counts = figures["operations_a_frame"]
    if counts["ours"]["computing"] > MOST_OPERATIONS * counts["stock"]["computing"]:
        found.append("more than half of stock's operations")
    if counts["ours"]["waiting"] > MOST_WAITS:
        found.append("more than one wait a frame")
    if figures["stream"]["share"] > MOST_FIRST_SHARE:
        found.append("a stream begins late")
    if not figures["first_take_is_stocks"]:
        found.append("another take than stock's")
    return found


def measure(
    size: str, device: str, n_frames: int, batches: Sequence[int], rounds: int, faster: Path | None = None
) -> list[str]:
    """Print the figures of a size and return the goals that they miss."""
    with tempfile.TemporaryDirectory() as name:
        voice = make_voice(size, device, Path(name))
        figures = {"size": size, "device": device, "threads": torch.get_num_threads()}
        figures |= speed(voice, device, n_frames, batches, rounds) | operations(voice) | first_audio(voice, device)
        if faster is not None:
            figures |= beside_faster(voice, faster, Path(name), device, n_frames, rounds, figures)
    figures["peak_rss_mb"] = peak_rss_mb()
    if device != "cpu":
        figures["peak_gpu_mb"] = round(torch.cuda.max_memory_allocated() / 1e6)
        figures["real_time"] = {
            name: round(rate / FRAMES_PER_SECOND, 2) for name, rate in figures["frames_per_s"].items()
        }
    found = missed(size, figures)
    figures["missed"] = found
    print(json.dumps(figures), flush=True)
    return found


def print_compiled(size: str, device: str, n_frames: int, batches: Sequence[int]) -> None:
    """Print frames a second with a compiled frame beside ours, for each batch."""
    with tempfile.TemporaryDirectory() as name:
        voice = make_voice(size, device, Path(name))
        for n in batches:
            found = compare(voice, make_takes(n, n_frames), partial(clock, device))
            print(json.dumps({"size": size, "device": device, "takes": n, **found}), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="run.sh bench speak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=sorted(SIZES))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--batches", type=int, nargs="+", default=(1, 8, 16))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="only compare with a frame of torch.compile")
    parser.add_argument("--faster", type=Path, metavar="PYTHON", help="of an environment with faster-qwen3-tts")
    options = parser.parse_args()
    if options.size is None:
        parts = [("tiny", "3"), ("0.6b", "1")]
        command = [sys.executable, "-m", "bench.speech.speak", "--frames", str(options.frames)]
        command += ["--compile"] if options.compile else []
        command += ["--faster", str(options.faster)] if options.faster else []
        codes = [subprocess.run([*command, "--size", size, "--rounds", rounds]).returncode for size, rounds in parts]
        sys.exit(max(codes))
    torch.set_num_threads(1)
    if options.compile:
        print_compiled(options.size, options.device, options.frames, options.batches)
        return
    found = measure(options.size, options.device, options.frames, options.batches, options.rounds, options.faster)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
