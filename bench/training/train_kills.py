"""Kill trainings with -9, again and again: ``./run.sh bench train_kills [--rounds 50] [--seed N]``.

Toy trainings, full and LoRA, are killed at random moments and while they write checkpoints, best weights or the export;
every finished one is compared with a run that was never stopped. Exit code 1 if a check fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from jobs.settings import PROJECT_ROOT

PREPARE = """
import json, sys
from pathlib import Path
import numpy as np, soundfile
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.qwen.toy.checkpoints import make_toy_base
folder = Path(sys.argv[1])
base = make_toy_base(folder / "toy", shape="0.6b", codebook_size=64)
rng = np.random.default_rng(0)
soundfile.write(folder / "reference.wav", 0.1 * np.sin(np.arange(SAMPLE_RATE_HZ) / 20), SAMPLE_RATE_HZ)
rows = [
    {"audio": "reference.wav", "ref_audio": "reference.wav", "text": "word " * (n + 1), "speaker": "slt",
     "language": "english", "split": "validation" if n > 3 else "train",
     "audio_codes": rng.integers(0, 64, (8 + n, 16)).tolist()}
    for n in range(6)
]
(folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
(folder / "params.json").write_text(json.dumps({
    "manifest": str(folder / "rows.jsonl"), "base_model": str(base), "epochs": 15, "batch_size": 2, "lr": 1e-3,
    "warmup_steps": 2, "seed": 7, "save_every_steps": 1, "validate_every_steps": 2}))
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench train_kills", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", PREPARE, folder], cwd=PROJECT_ROOT, check=True)
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.kills.training_kills",
             folder, str(options.rounds), str(options.seed)],
            cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        log = Path(folder) / "log"
        errors = [line for line in log.read_text().splitlines() if "Error" in line] if log.exists() else []
    if done.returncode:
        return 1
    found = json.loads(done.stdout)
    for moment, number in sorted(found["kills"].items()):
        print(f"killed {moment:32}{number:5}")
    print(f"finished runs {found['finished_runs']}, all exports whole, every checkpoint loads; {len(errors)} errors")
    print(f"largest relative difference to a run never stopped: {found['largest_relative_difference']:.1e}")
    print(f"{time.monotonic() - begun:.0f} s")
    return 0 if found["largest_relative_difference"] < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
