"""Driver of faster-qwen3-tts, run by the Python of an environment that has it. Imports nothing of this project.

Its argument is a JSON file: model folder, texts and how to speak them. It prints one JSON object.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

PACKAGE = "faster-qwen3-tts"
SAMPLES_PER_FRAME = 1920
WARM_UP_FRAMES = 4


def main() -> None:
    """Check the calls; on a GPU, measure."""
    wanted = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    engine = importlib.import_module("faster_qwen3_tts").FasterQwen3TTS
    figures: dict[str, Any] = {"version": importlib.metadata.version(PACKAGE)}
    check_calls(engine, wanted)
    if wanted["device"] == "cpu":
        print(json.dumps(figures | {"skipped": "it computes on CUDA devices only; its calls are as expected"}))
        return
    model = engine.from_pretrained(wanted["folder"], **loading(wanted))
    spoken = speaking(wanted)
    for text in wanted["texts"][:1]:
        model.generate_custom_voice(text=text, **spoken | {"max_new_tokens": WARM_UP_FRAMES})
    rates, first_s = [], {}
    for _ in range(wanted["rounds"]):
        began = clock()
        waveforms, _ = model.generate_custom_voice(text=wanted["texts"][0], **spoken)
        rates.append(len(waveforms[0]) / SAMPLES_PER_FRAME / (clock() - began))
    for n_frames in wanted["chunks"]:
        began = clock()
        stream = model.generate_custom_voice_streaming(
            text=wanted["texts"][0], **spoken | {"max_new_tokens": wanted["stream_frames"]}, chunk_size=n_frames
        )
        times = [clock() - began for _ in stream]
        first_s[n_frames] = {"first_s": round(times[0], 4), "whole_s": round(times[-1], 3)}
    print(json.dumps(figures | {"frames_per_s": round(max(rates), 2), "stream": first_s}))


def loading(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the options of ``from_pretrained``."""
    return {"device": wanted["device"], "dtype": wanted["dtype"], "max_seq_len": 2048}


def speaking(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the options of each take: stock's defaults."""
    return {"speaker": wanted["speaker"], "language": wanted["language"], "max_new_tokens": wanted["n_frames"]}


def check_calls(engine: Any, wanted: dict[str, Any]) -> None:
    """Check that the package takes the calls of this driver. Raises ``TypeError`` where it does not."""
    inspect.signature(engine.from_pretrained).bind(wanted["folder"], **loading(wanted))
    spoken = speaking(wanted)
    inspect.signature(engine.generate_custom_voice).bind(None, text="a", **spoken)
    inspect.signature(engine.generate_custom_voice_streaming).bind(None, text="a", **spoken, chunk_size=1)


def clock() -> float:
    """Return seconds, when the GPU has done its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
