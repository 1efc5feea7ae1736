"""Upstream's fine-tuning script, step by step beside ours: the same model, rows, batch, precision and threads.

The script is not part of this project: give a folder with a copy of ``finetuning/`` of github.com/QwenLM/Qwen3-TTS.
It runs as it is but for what a CPU needs (``EDITS``), in a process of its own, and is held at every optimiser step, so
that its steps and ours take turns on the same machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from bench.train_step import (
    SIZES,
    Recipe,
    Stopwatch,
    Trainer,
    config_of,
    made_up_clips,
    precision_of,
    prepare,
    random_model,
)
from jobs.qwen.devices import torch_dtype
from jobs.qwen.loading import load_base
from jobs.qwen.speaker_embedding import speaker_embedding
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.qwen.train.sequence_layout import Example, tokenise_text
from jobs.qwen.upstream import qwen_tts

SCRIPT = "sft_12hz.py"
ATTENTION = ('attn_implementation="flash_attention_2"', 'attn_implementation="sdpa"')
# accelerate 1.12 refuses it without a folder; the script logs nothing with it
TRACKER = (', log_with="tensorboard"', "")
EDITS = {
    "cpu": (
        ATTENTION,
        TRACKER,
        ('mixed_precision="bf16"', 'mixed_precision="no"'),
        ("torch.bfloat16", "torch.float32"),
    ),
    "cuda": (ATTENTION, TRACKER),
}
ACCUMULATION = 4  # fixed in the script
REFERENCE_S = 5


class Upstream:
    """The script, held before every optimiser step's first forward pass.

    Args:
        folder: with ``sft_12hz.py`` and ``dataset.py``.
        arguments: of its command line.
        device: which edits it needs.
    """

    def __init__(self, folder: Path, arguments: list[str], device: str) -> None:
        source = (folder / SCRIPT).read_text(encoding="utf-8")
        for old, new in EDITS[device]:
            if source.count(old) != 1:
                sys.exit(f"{folder / SCRIPT}: expected {old} once; this is another version of the script.")
            source = source.replace(old, new)
        self._arguments, self._folder = arguments, folder
        self._code = compile(source, str(folder / SCRIPT), "exec")
        self._n_threads = torch.get_num_threads()
        self._go: queue.Queue[bool] = queue.Queue()
        self._came: queue.Queue[BaseException | None] = queue.Queue()
        self._frames = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def step(self) -> int:
        """Let it make one optimiser step; returns the frames that it learnt."""
        self._frames = 0
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._go.put(True)
        error = self._came.get()
        if error is not None:
            raise error
        return self._frames

    def stop(self) -> None:
        """End it where it is held; nothing is saved."""
        self._go.put(False)
        self._thread.join()

    def _run(self) -> None:
        torch.set_num_threads(self._n_threads)
        try:
            with self._hooked() as script:
                script["train"]()
        except _Stopped:
            return
        except BaseException as error:
            self._came.put(error)

    @contextlib.contextmanager
    def _hooked(self) -> Iterator[dict[str, Any]]:
        talker = qwen_tts().core.models.modeling_qwen3_tts.Qwen3TTSTalkerForConditionalGeneration
        upstream, argv = talker.forward_sub_talker_finetune, sys.argv

        def counted(module: Any, codes: torch.Tensor, hidden: torch.Tensor) -> Any:
            self._frames += len(codes)
            return upstream(module, codes, hidden)

        sys.path.insert(0, str(self._folder))
        sys.argv = [SCRIPT, *self._arguments]
        talker.forward_sub_talker_finetune = counted
        try:
            script: dict[str, Any] = {"__name__": "upstream"}
            exec(self._code, script)
            script["AdamW"] = _holding(self._hold)
            yield script
        finally:
            talker.forward_sub_talker_finetune = upstream
            sys.path.remove(str(self._folder))
            sys.argv = argv

    def _hold(self) -> None:
        self._came.put(None)
        if not self._go.get():
            raise _Stopped


class _Stopped(BaseException):
    """Ends the script."""


def _holding(hold: Callable[[], None]) -> type[torch.optim.AdamW]:
    class Held(torch.optim.AdamW):
        """The script's optimiser; after each step it waits for us."""

        def step(self, *arguments: Any, **named: Any) -> Any:
            done = super().step(*arguments, **named)
            hold()
            return done

    return Held


def write_base(folder: Path, size: str, dtype: torch.dtype) -> Path:
    """A base model of a size with random weights and a toy's tokenizer and codec, as the script reads it."""
    make_toy_base(folder, shape="1.7b")
    toy = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    ids = {
        "<|im_start|>": toy["im_start_token_id"],
        "<|im_end|>": toy["im_end_token_id"],
        "<tts_pad>": toy["tts_pad_token_id"],
        "<tts_text_bos>": toy["tts_bos_token_id"],
        "<tts_text_eod>": toy["tts_eos_token_id"],
    }
    config = config_of(SIZES[size], ids)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    weights = random_model(config, "cpu", dtype).state_dict()
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, str(folder / "model.safetensors"))
    return folder


def write_rows(folder: Path, recipe: Recipe, n_clips: int) -> Path:
    """A manifest of made-up clips with one reference clip, as the script reads it."""
    reference = folder / "reference.wav"
    noise = np.random.default_rng(0).normal(0, 3000, REFERENCE_S * 24000).astype("<i2")
    with wave.open(str(reference), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(24000)
        out.writeframes(noise.tobytes())
    rows = [
        {
            "audio": str(reference),
            "ref_audio": str(reference),
            # every letter is a token: after "e", "z" is never merged
            "text": "ez" * (len(clip.text_ids) // 2),
            "audio_codes": clip.codes.tolist(),
        }
        for clip in made_up_clips(SIZES[recipe.size], n_clips, recipe.seconds)
    ]
    manifest = folder / "rows.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return manifest


def our_trainer(base: Path, manifest: Path, recipe: Recipe) -> Trainer:
    """Our side over the same files."""
    half = recipe.method == "lora"
    loaded = load_base(base, recipe.device, torch_dtype(precision_of(recipe)) if half else torch.float32)
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    speaker = speaker_embedding(base, loaded.model.config, "bench", [Path(rows[0]["ref_audio"])])
    clips = [
        Example(tokenise_text(loaded, row["text"]), torch.tensor(row["audio_codes"]), "auto", speaker) for row in rows
    ]
    return Trainer(loaded.model, prepare(loaded.model, recipe), clips, recipe)


def beside_upstream(scripts: Path, recipe: Recipe, folder: Path, n_clips: int, n_steps: int) -> dict[str, Any]:
    """Frames a second of both sides, taking turns step by step, after a warm-up of one step each.

    Args:
        scripts: folder of the upstream copy.
        recipe: ours; its accumulation is upstream's.
        folder: empty, for model and rows.
        n_clips: must last for all steps, because the script writes the whole model when an epoch ends.
        n_steps: measured.
    """
    recipe = replace(recipe, accumulation=ACCUMULATION)
    if n_clips < (n_steps + 2) * recipe.batch_size * ACCUMULATION:
        sys.exit("--clips is too small for --steps: upstream's epoch would end.")
    base = write_base(folder / "base", recipe.size, torch.float32 if recipe.device == "cpu" else torch.bfloat16)
    manifest = write_rows(folder, recipe, n_clips)
    ours = our_trainer(base, manifest, recipe)
    if recipe.device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    arguments = {
        "init_model_path": base,
        "output_model_path": folder / "out",
        "train_jsonl": manifest,
        "batch_size": recipe.batch_size,
        "lr": 1e-5,
    }
    words = [str(word) for name, value in arguments.items() for word in (f"--{name}", value)]
    theirs = Side(scripts, recipe.device, words)
    watch = Stopwatch(recipe.device)
    sides: dict[str, Callable[[], Turn]] = {
        "ours": lambda: timed(lambda: ours.step(watch), recipe.device),
        "upstream": theirs.step,
    }
    found: dict[str, list[Turn]] = {name: [] for name in sides}
    for number in range(1 + n_steps):
        for name in sorted(sides, reverse=number % 2 == 1):
            found[name].append(sides[name]())
    theirs.close()
    found = {name: steps[1:] for name, steps in found.items()}
    rate = {name: sum(step[0] for step in steps) / sum(step[1] for step in steps) for name, steps in found.items()}
    cpu_rate = {name: sum(step[0] for step in steps) / sum(step[2] for step in steps) for name, steps in found.items()}
    turns = [
        (mine[0] / mine[1]) / (other[0] / other[1])
        for mine, other in zip(found["ours"], found["upstream"], strict=True)
    ]
    return {
        "frames_per_s": {name: round(value, 1) for name, value in rate.items()},
        "ratio_of_turns": {
            "median": round(statistics.median(turns), 2), "least": round(min(turns), 2), "most": round(max(turns), 2),
        },
        "ratio": round(rate["ours"] / rate["upstream"], 2),
        "ratio_by_cpu_time": round(cpu_rate["ours"] / cpu_rate["upstream"], 2),
        "steps": n_steps,
        "padding_share": round(ours.sampler.padding_share(), 4),
    }  # fmt: skip


Turn = tuple[int, float, float]
"""Frames, seconds and CPU seconds of an optimiser step."""


def timed(step: Callable[[], int], device: str) -> Turn:
    """Make a step and time it."""
    began, cpu = time.perf_counter(), time.process_time()
    n_frames = step()
    if device != "cpu":
        torch.cuda.synchronize()
    return n_frames, time.perf_counter() - began, time.process_time() - cpu


class Side:
    """The process of the script: ``serve`` at the other end."""

    def __init__(self, folder: Path, device: str, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "bench.train_upstream", str(folder), device, str(torch.get_num_threads())]
        self._process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def step(self) -> Turn:
        """Let it make one optimiser step."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit("upstream's script ended; its own words are above.")
        n_frames, seconds, cpu_seconds = json.loads(answer)
        return n_frames, seconds, cpu_seconds

    def close(self) -> None:
        """End it where it is held."""
        self._process.communicate()


def serve(folder: Path, device: str, n_threads: int, arguments: list[str]) -> None:
    """Make a step of the script for every line that comes in."""
    torch.set_num_threads(n_threads)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the script prints is not an answer
    upstream = Upstream(folder, arguments, device)
    for _ in sys.stdin:
        print(json.dumps(timed(upstream.step, device)), file=answers, flush=True)
    upstream.stop()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:])
