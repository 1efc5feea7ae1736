"""Speed and memory of the conversion to codes: ``./run.sh bench codes [--codec C] [--clips N] [--kills N]``.

The same clips of mixed lengths (the sample audiobook, over and over) and the same weights, each way in a process of its
own: ``convert_codes``, and upstream's ``prepare_data.py`` as published: batches of 32 in the order of the file, each
padded to its longest clip, all codes kept until the end. Prints one JSON object: codec frames per second of CPU with
loading the weights, peak of resident memory, and how many codes differ. With ``--kills N`` instead: conversions are
killed with -9 at N random moments, and their output is compared, byte for byte, with that of an undisturbed
one; exit code 1 if it differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jobs.qwen.toy import checkpoints
from jobs.qwen.toy import config as toy_config
from jobs.settings import PROJECT_ROOT
from tests.support.kills.conversion_kills import WRITTEN, killed, make_dataset

# The released 12 Hz tokenizer's encoder is transformers' Mimi at its default sizes.
REAL_ENCODER = {
    "hidden_size": 512, "num_filters": 64, "codebook_dim": 256, "vector_quantization_hidden_dimension": 256,
    "upsample_groups": 512, "num_hidden_layers": 8, "intermediate_size": 2048, "num_attention_heads": 8,
    "num_key_value_heads": 8, "head_dim": 64,
}  # fmt: skip
OURS = """
import sys
from pathlib import Path
from tests.support.kills.conversion_kills import convert
from bench.support.measured import measured
measured(lambda: convert(Path(sys.argv[1]), sys.argv[2]))
"""
UPSTREAM = """
import sys
from pathlib import Path
from bench.dataset.codes import prepare_data
from bench.support.measured import measured
measured(lambda: prepare_data(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def prepare_data(dataset: Path, tokenizer: Path) -> None:
    """The call pattern of upstream's script."""
    from jobs.qwen.upstream import qwen_tts

    codec = qwen_tts().Qwen3TTSTokenizer.from_pretrained(str(tokenizer), device_map="cpu")
    lines = [json.loads(line) for line in (dataset / "train_manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    done = []
    for first in range(0, len(lines), 32):
        batch = lines[first : first + 32]
        encoded = codec.encode([str(dataset / line["audio"]) for line in batch])
        for line, codes in zip(batch, encoded.audio_codes, strict=True):
            done.append({**line, "audio_codes": codes.cpu().tolist()})
    (dataset / "upstream.jsonl").write_text("".join(json.dumps(line) + "\n" for line in done), encoding="utf-8")


def real_shape(folder: Path) -> Path:
    """A tokenizer with random weights whose encoder has the released one's sizes; its decoder is small."""
    import torch
    from safetensors.torch import save_file

    from jobs.qwen.upstream import qwen_tts

    config = toy_config.codec_config(2048)
    config["encoder_config"].update(REAL_ENCODER)
    config["decoder_config"].update(codebook_dim=2 * REAL_ENCODER["codebook_dim"])
    core = qwen_tts().core
    torch.manual_seed(0)
    keys = {name: value for name, value in config.items() if name not in ("architectures", "model_type")}
    codec = core.Qwen3TTSTokenizerV2Model(core.Qwen3TTSTokenizerV2Config(**keys))
    quantizer = codec.encoder.quantizer
    for side in (quantizer.semantic_residual_vector_quantizer, quantizer.acoustic_residual_vector_quantizer):
        for depth, layer in enumerate(side.layers):
            layer.codebook.embed_sum.copy_(torch.randn_like(layer.codebook.embed_sum) * 0.8**depth)
            layer.codebook.cluster_usage.fill_(1.0)
    folder.mkdir(parents=True)
    weights = {name: tensor.detach().clone().contiguous() for name, tensor in codec.state_dict().items()}
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(toy_config.CODEC_PREPROCESSOR))
    return folder


def compared(tokenizer: Path, n_clips: int, folder: Path, *, with_upstream: bool = True) -> dict[str, Any]:
    """Measure both ways."""
    audio_s = make_dataset(folder / "dataset", n_clips)
    figures: dict[str, Any] = {"clips": n_clips, "audio_s": round(audio_s), "ours": _alone(OURS, folder, tokenizer)}
    rows = [json.loads(line) for line in (folder / "dataset" / WRITTEN[0]).read_text().splitlines()]
    n_frames = sum(len(row["audio_codes"]) for row in rows)
    figures["ours"]["frames_per_cpu_s"] = round(n_frames / figures["ours"]["cpu_s"])
    if with_upstream:
        figures["upstream"] = _alone(UPSTREAM, folder, tokenizer)
        figures["upstream"]["frames_per_cpu_s"] = round(n_frames / figures["upstream"]["cpu_s"])
        theirs = [json.loads(line) for line in (folder / "dataset" / "upstream.jsonl").read_text().splitlines()]
        pairs = [(np.array(a["audio_codes"]), np.array(b["audio_codes"])) for a, b in zip(rows, theirs, strict=True)]
        # upstream fills the last frame of a batch's clips otherwise, see Codec.encode
        figures["codes_that_differ"] = int(sum((a[:-1] != b[: len(a) - 1]).sum() for a, b in pairs))
        figures["codes"] = int(sum(a[:-1].size for a, _ in pairs))
        figures["times_upstream"] = round(figures["upstream"]["cpu_s"] / figures["ours"]["cpu_s"], 2)
    return figures


def _alone(script: str, folder: Path, tokenizer: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "dataset"), str(tokenizer)],
        cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench codes", description=__doc__)
    parser.add_argument("--codec", default="toy", help="toy, real-shape (random weights), or a tokenizer's directory")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--only-ours", action="store_true", help="leave upstream's way out")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer = {"toy": checkpoints.TOY_CODEC}.get(options.codec, Path(options.codec))
        if options.codec == "real-shape":
            tokenizer = real_shape(folder / "tokenizer")
        if options.kills:
            found = killed(str(tokenizer), options.clips, options.kills, options.seed, folder)
        else:
            found = compared(tokenizer, options.clips, folder, with_upstream=not options.only_ours)
        print(json.dumps({"codec": options.codec, **found}))
    return 1 if found.get("different") else 0


if __name__ == "__main__":
    sys.exit(main())
