"""Upstream's fine-tuning script, step by step beside ours: the same model, rows, batch, precision and threads.

The script is not part of this project: give a folder with a copy of ``finetuning/`` of github.com/QwenLM/Qwen3-TTS.
It and ours run in a process each and are held at every optimiser step, so that their steps take turns on the same
machine, and each process's peak of memory is its own.
"""

from __future__ import annotations

import json
import os
import sys
import wave
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from bench.support.train_step import (
    SIZES,
    Recipe,
    Stopwatch,
    Trainer,
    config_of,
    made_up_clips,
    precision_of,
    prepare,
    random_model,
    released_shape,
)
from bench.support.upstream_script import ABOUT_FIX, Side, Turn, serve, take_stdout
from jobs.qwen.devices import keep_freed_memory, torch_dtype
from jobs.qwen.loading import load_base
from jobs.qwen.speaker_embedding import speaker_embedding
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.qwen.train.sequence_layout import Example, tokenise_text

ACCUMULATION = 4  # fixed in the script
REFERENCE_S = 5


def write_base(folder: Path, size: str, dtype: torch.dtype) -> Path:
    """A base model of a size with random weights and a toy's tokenizer and codec, as the script reads it."""
    make_toy_base(folder, shape=released_shape(SIZES[size]))
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
    """Frames a CPU second and peak memory of both sides, taking turns step by step, after a warm-up of one step each.

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
    n_threads = str(torch.get_num_threads())

    def upstream(state: str) -> Side:
        return Side("bench.support.upstream_script", str(scripts), recipe.device, n_threads, state, *words)

    error = None
    if released_shape(SIZES[recipe.size]) == "0.6b":
        as_published = upstream("published")
        error = as_published.error_of_step()
        as_published.close()
    sides = {
        "ours": Side("bench.support.train_upstream", str(base), str(manifest), n_threads, json.dumps(asdict(recipe))),
        "upstream": upstream("published" if error is None else "fixed"),
    }
    found: dict[str, list[Turn]] = {name: [] for name in sides}
    for number in range(1 + n_steps):
        for name in sorted(sides, reverse=number % 2 == 1):
            found[name].append(sides[name].step())
    for side in sides.values():
        side.close()
    peaks = {name: steps[-1][3] for name, steps in found.items()}
    found = {name: steps[1:] for name, steps in found.items()}
    rate = {name: sum(step[0] for step in steps) / sum(step[1] for step in steps) for name, steps in found.items()}
    cpu_rate = {name: sum(step[0] for step in steps) / sum(step[2] for step in steps) for name, steps in found.items()}
    about = {} if error is None else {"upstream_as_published": error, "upstream_measured_with": ABOUT_FIX}
    return about | {
        "frames_per_s": {name: round(value, 1) for name, value in rate.items()},
        "frames_per_cpu_s": {name: round(value, 1) for name, value in cpu_rate.items()},
        "ratio_by_time": round(rate["ours"] / rate["upstream"], 3),
        "ratio_by_cpu_time": round(cpu_rate["ours"] / cpu_rate["upstream"], 3),
        "peak_mb": peaks,
        "ratio_of_memory": round(peaks["ours"] / peaks["upstream"], 3),
        "steps": n_steps,
    }


def main(base: Path, manifest: Path, n_threads: int, recipe: Recipe) -> None:
    """Serve our steps."""
    torch.set_num_threads(n_threads)
    if recipe.device == "cpu":
        keep_freed_memory()  # as a training job does
    answers = take_stdout()
    trainer, watch = our_trainer(base, manifest, recipe), Stopwatch(recipe.device)
    serve(lambda: trainer.step(watch), recipe.device, answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Recipe(**json.loads(sys.argv[4])))
