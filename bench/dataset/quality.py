"""Cost of judging clips: CPU-seconds a second of audio, with and without DNSMOS, and for 40 hours.

    ./run.sh bench quality DATASET

DATASET holds ``train_manifest.jsonl``. One process, one thread; nothing is written.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench.support.memory import peak_rss_mb
from jobs.dataset.manifest import Clip, read_rows
from jobs.dataset.quality.measure_all import MOST_SAMPLED
from jobs.dataset.quality.measure_clip import Task, measure

HOURS = 40.0


def cost(tasks: list[Task]) -> float:
    """CPU seconds of all tasks but the first, which loads the models."""
    measure(tasks[0])
    start = time.process_time()
    for task in tasks[1:]:
        measure(task)
    return time.process_time() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench quality", description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder with train_manifest.jsonl")
    dataset = parser.parse_args().dataset
    clips = list(read_rows(dataset / "train_manifest.jsonl", Clip))
    length_s = sum(clip.duration_s or 0.0 for clip in clips[1:])
    paths = [(dataset / clip.audio, clip) for clip in clips]
    plain = cost([Task(path, clip.text, clip.language) for path, clip in paths]) / length_s
    mos = cost([Task(path, "", "", "mos") for path, _ in paths]) / length_s
    mean_s = length_s / (len(clips) - 1)
    sampled = MOST_SAMPLED * mean_s * mos / (HOURS * 3600)
    print(f"{len(clips)} clips, {length_s:.0f} s; CPU seconds a second of audio:")
    print(f"  measures and voice {plain:.4f}, DNSMOS {mos:.4f}")
    default = HOURS * 60 * (plain + sampled)
    print(f"  {HOURS:.0f} h by default, DNSMOS of {MOST_SAMPLED} clips and the doubtful: {default:.0f} CPU min")
    print(f"  {HOURS:.0f} h with dnsmos=all: {HOURS * 60 * (plain + mos):.0f} CPU min")
    print(f"  peak RSS {peak_rss_mb()} MB")


if __name__ == "__main__":
    main()
