"""Memory and exactness of entering a long m4b: ``./run.sh bench mp4_index [--hours 40]``.

Compares ``Recording``, which reads only the index of the wanted packets, with PyAV, which reads the index of the whole
file, and with decoding from the start. Prints one JSON object per method; see ``docs/decisions/0001-mp4-index.md``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from bench.support.memory import peak_rss_mb
from jobs.audio import recording
from jobs.audio.decoding import Samples, decoded, without_first
from jobs.audio.recording import Recording
from jobs.settings import PROJECT_ROOT
from tests.support.repeated_recording import played_over

LENGTH_S, PREROLL = 10, 8 * 1024
METHODS = ("ours", "pyav_seek", "pyav_from_start")


def read(method: str, path: Path, start_s: int) -> Samples:
    """Decode ten seconds from a place."""
    if method == "pyav_seek":
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            start, n_samples = start_s * stream.rate, LENGTH_S * stream.rate
            container.seek(start - PREROLL, stream=stream)
            stamps: list[int] = []
            frames = decoded(container, stream, stream.rate, stamps)
            found = [next(frames)]
            while sum(map(len, found)) < start - stamps[0] + n_samples:
                found.append(next(frames))
            return np.concatenate([*without_first(start - stamps[0], iter(found))])[:n_samples]
    if method == "pyav_from_start":
        recording.read_mp4 = lambda path: None
    source = Recording(path)
    start = start_s * source.info.sample_rate_hz
    blocks = source.blocks(start, start + LENGTH_S * source.info.sample_rate_hz)
    return np.concatenate([block.samples for block in blocks])


def offset(reference: Samples, samples: Samples) -> int:
    """Samples by which one of two equally long signals lies later than the other."""
    size = 2 * len(reference)
    product = np.fft.rfft(reference, size) * np.conj(np.fft.rfft(samples, size))
    place = int(np.fft.irfft(product).argmax())
    return place if place < len(reference) else place - size


def main() -> None:
    """Make the file, read it by each method in a process of its own, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=40.0)
    parser.add_argument("--method", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--at", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.method:
        before_mb, began = peak_rss_mb(), time.monotonic()
        np.save(args.out, read(args.method, args.file, args.at))
        figures = {"peak_mb": peak_rss_mb(), "of_it_imports_mb": before_mb, "wall_s": time.monotonic() - began}
        sys.stdout.write(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory() as folder:
        path, at_s = Path(folder) / "long.m4b", int(args.hours * 3600 / 2)
        played_over(PROJECT_ROOT / "samples/fables.m4b", args.hours * 3600, path)
        samples = {}
        for method in reversed(METHODS):
            out = Path(folder) / f"{method}.npy"
            command = [sys.executable, "-m", "bench.dataset.mp4_index", "--method", method, "--file", path]
            done = subprocess.run(
                [*map(str, command), "--at", str(at_s), "--out", str(out)], capture_output=True, text=True, check=True
            )
            samples[method] = np.load(out)
            late = offset(samples["pyav_from_start"], samples[method])
            line = {
                "method": method,
                "hours": args.hours,
                "at_s": at_s,
                "off_by_samples": late,
                **json.loads(done.stdout),
            }
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
