"""How fast and in how much memory a recording is ingested: ``./run.sh bench ingest [--audio F --text F] [--times N]``.

Plays the recording N times over as one file, ingests it in a process of its own, and prints one JSON object: seconds of
audio per second of CPU (steady on a busy machine) and per second of wall clock, and the peak of resident memory. Run it
with two values of N: the memory must not grow with the length.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

ROOT = Path(__file__).resolve().parent.parent
WORKER = """
import json, logging, sys
from pathlib import Path
from jobs.ingest_audiobook.spec import Params
from jobs.ingest_audiobook.work import run
from jobs.settings import Settings

class Context:
    job_id, folder, settings = "bench", Path(sys.argv[2]), Settings.from_environment()
    def progress(self, *_, **__): pass
    def publish(self, *_): return ""
    def raise_if_cancelled(self): pass

print(run(Params.model_validate_json(sys.argv[1]), Context()).model_dump_json())
"""


def played_over(audio: Path, times: int, target: Path) -> None:
    """Write the recording ``times`` times in a row as one FLAC file."""
    with av.open(str(target), "w") as out:
        stream = None
        for _ in range(times):
            with av.open(str(audio)) as source:
                rate = source.streams.audio[0].rate
                stream = stream or out.add_stream("flac", rate=rate, layout="mono")
                resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
                for frame in source.decode(audio=0):
                    for part in resampler.resample(frame):
                        part.pts = None
                        out.mux(stream.encode(part))
        assert stream is not None
        out.mux(stream.encode(None))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench ingest", description=__doc__)
    parser.add_argument("--audio", type=Path, default=ROOT / "samples" / "fables.m4b")
    parser.add_argument("--text", type=Path, default=ROOT / "samples" / "fables.txt")
    parser.add_argument("--times", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        played_over(options.audio, options.times, folder / "recording.flac")
        (folder / "text.txt").write_text("\n".join([options.text.read_text(encoding="utf-8")] * options.times))
        params = {
            "audio": str(folder / "recording.flac"),
            "voice": "bench",
            "text": str(folder / "text.txt"),
            "out_dir": str(folder / "dataset"),
        }
        began = time.perf_counter()
        answer = subprocess.run(
            [sys.executable, "-c", WORKER, json.dumps(params), name],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        wall_s = time.perf_counter() - began
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = json.loads(answer.stdout)
    cpu_s = usage.ru_utime + usage.ru_stime
    figures = {
        "audio_s": round(result["recording_s"], 1),
        "kept_s": round(result["kept_s"], 1),
        "n_clips": result["n_clips"],
        "wall_s": round(wall_s, 1),
        "audio_s_per_cpu_s": round(result["recording_s"] / cpu_s, 1),
        "audio_s_per_wall_s": round(result["recording_s"] / wall_s, 1),
        "peak_rss_mb": usage.ru_maxrss // 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
