"""Speed and memory of an ingest: ``./run.sh bench ingest [--minutes 10 240] [--workers N]``.

Makes an m4b of each length with chapters (a sample's packets over and over), ingests it in a process of its own, and
prints one JSON object a length: seconds of audio per second of CPU (steady on a busy machine) and of wall clock, and
the peak of resident memory of the largest process, imports and all. By default up to the clips, without text and
without judging them; ``--text`` matches the sample's text, ``--whole`` does the whole job.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av

from tests.support.repeated_recording import played_over

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import json, resource, sys
from pathlib import Path
from bench.support.memory import peak_rss_mb
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.work import make_clips, run
from jobs.settings import Settings

class Context:
    job_id, folder, settings = "bench", Path(sys.argv[2]), Settings.from_environment()
    def progress(self, *_, **__): pass
    def publish(self, *_): return ""
    def raise_if_cancelled(self): pass

params = Params.model_validate_json(sys.argv[1])
if sys.argv[3] == "whole":
    summary = run(params, Context()).model_dump()
else:
    summary = {"recording_s": 0.0, "kept_s": 0.0, "n_clips": 0}
    for record in make_clips(params, Context()).state.finished():
        summary["recording_s"] += (record.end_24k - record.start_24k) / SAMPLE_RATE_HZ
        summary["kept_s"] += sum(clip.duration_s for clip in record.clips)
        summary["n_clips"] += len(record.clips)
summary["torch"] = "torch" in sys.modules
children = resource.getrusage(resource.RUSAGE_CHILDREN)
summary["rss_mb"] = [peak_rss_mb(), children.ru_maxrss // 1024]
print(json.dumps(summary))
"""


def measured(folder: Path, minutes: float, options: argparse.Namespace) -> dict[str, object]:
    """Ingest a recording of this length and return the figures."""
    recording = folder / f"{minutes:g}.m4b"
    played_over(options.audio, minutes * 60, recording)
    params = {
        "audio": str(recording),
        "voice": "bench",
        "out_dir": str(folder / "dataset"),
        "transcript": "none",
        "workers": options.workers,
    }
    if options.text:
        sample_s = float(av.open(str(options.audio)).duration or 0) / av.time_base
        times = round(minutes * 60 / sample_s) + 1
        (folder / "text.txt").write_text("\n".join([options.text.read_text(encoding="utf-8")] * times))
        params |= {"transcript": "auto", "text": str(folder / "text.txt")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    stage = "whole" if options.whole else "clips"
    answer = subprocess.run(
        [sys.executable, "-c", WORKER, json.dumps(params), str(folder), stage],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    wall_s = time.perf_counter() - began
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary = json.loads(answer.stdout)
    cpu_s = usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime
    subprocess.run(["rm", "-rf", str(folder / "dataset"), str(recording)], check=True)
    return {
        "minutes": round(summary["recording_s"] / 60, 1),
        "workers": options.workers,
        "n_clips": summary["n_clips"],
        "kept_s": round(summary["kept_s"], 1),
        "cpu_s": round(cpu_s, 1),
        "wall_s": round(wall_s, 1),
        "audio_s_per_cpu_s": round(summary["recording_s"] / cpu_s, 1),
        "audio_s_per_wall_s": round(summary["recording_s"] / wall_s, 1),
        "peak_rss_mb": summary["rss_mb"],
        "torch_imported": summary["torch"],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench ingest", description=__doc__)
    parser.add_argument("--audio", type=Path, default=ROOT / "samples" / "fables.m4b")
    parser.add_argument("--text", type=Path, help="match this text of the sample, repeated as often as the sample")
    parser.add_argument("--minutes", type=float, nargs="+", default=[10.0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="judge the clips and write the report too")
    options = parser.parse_args(argv)
    for minutes in options.minutes:
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(measured(Path(name), minutes, options)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
