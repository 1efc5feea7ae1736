"""A resident host under load: ``./run.sh bench serve [--minutes 10] [--clients 32]``.

A host of a toy voice runs in a process of its own. First one client asks alone, then fresh processes do a job's work
and let the host speak. Then many clients ask at once: most read to the end, some leave within the sound or the request,
and some send no fit request. One JSON object; the exit status is 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch

from jobs.qwen.export import write_voice
from jobs.qwen.loading import load_base
from jobs.qwen.toy.checkpoints import TOY_CODEC, make_toy_base
from jobs.serve_voice.params import Params
from jobs.serve_voice.work import run
from jobs.settings import PROJECT_ROOT, Settings
from tests.support.null_context import NullContext

SLOTS, MAX_QUEUE = 8, 16
MOST_RSS_GROWTH = 0.05
MOST_START_S = 0.3
WARM_UP = 0.2
"""Share of the time that does not count for the memory: caches grow to the longest take."""
WORDS = ("the", "evening", "train", "was", "late", "so", "we", "walked", "home", "along", "a", "river", "and", "saw")
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
ROUTE = "/v1/audio/speech"
LONGEST_END = 500  # bytes of the last event
JOB = "serve_voice-20260101-000000-0001"
PLAIN = {"response_format": "pcm", "stream_format": "audio", "speed": 1.0}
STARTS = """
import sys, time
from pathlib import Path
began = time.perf_counter()
from jobs.qwen.model_stamps import hash_stamps, read_stamps
from jobs.speech_host.client import speak
from jobs.synthesize import work
from jobs.speech_host.protocol import Sampling, TakesRequest
imported = time.perf_counter()
stamps = hash_stamps(read_stamps(Path(sys.argv[2])))
request = TakesRequest(folder=sys.argv[2], stamps=stamps, speaker="nora", language="auto", sampling=Sampling(),
    takes=[{"text": "Yes.", "seed": 1, "max_seconds": 0.08}], missing=[0])
(number, speech), = speak(Path(sys.argv[1]), request, lambda: None)
print(imported - began, time.perf_counter() - imported)
"""


@dataclass
class Seen:
    """Answers of all clients."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter[str] = field(default_factory=Counter)
    first_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)

    def count(self, kind: str, status: object) -> None:
        """Count an answer."""
        with self.lock:
            self.statuses[f"{kind} {status}"] += 1


@dataclass
class Served:
    """The host's process."""

    process: subprocess.Popen[bytes]
    home: Path
    port: int
    token: str

    def client(self) -> httpx.Client:
        """Return a client that bears the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=120)

    def cpu_s(self) -> float:
        """Read the CPU seconds of its process."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # proc(5): utime, stime

    def figure(self, name: str) -> float:
        """Read a figure of its metrics."""
        with self.client() as client:
            lines = client.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith(f"tts_train_{name}")).split()[-1])


def make_voice(folder: Path) -> Path:
    """A toy voice with a codec that makes sound."""
    base = make_toy_base(folder / "base", shape="0.6b", codebook_size=256, codec=TOY_CODEC, weight_std=0.1)
    embedding = torch.randn(64, generator=torch.Generator().manual_seed(0)) * 0.05
    model = load_base(base, "cpu", torch.float32).model
    return write_voice(model, base, folder / "birds", voices={"nora": embedding}, card={})


def host(home: Path, voice: Path) -> None:
    """Serve in this process until it is ended."""
    folder = home / "jobs" / JOB
    folder.mkdir(parents=True)
    context = NullContext(folder)
    context.settings = Settings(home=home, envs=home, roots=(home,))
    run(Params(voices=[str(voice)], slots=SLOTS, max_queue=MAX_QUEUE), context)


def start(home: Path, voice: Path) -> Served:
    """Start the host's process and wait until the model is loaded."""
    command = [sys.executable, "-m", "bench.speech.serve", "--host", str(home), "--voice", str(voice)]
    with (home.with_suffix(".log")).open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=log, stderr=log)
    address = home / "jobs" / JOB / "out" / "address.json"
    while True:
        assert process.poll() is None, home.with_suffix(".log").read_text()
        with suppress(OSError, ValueError, httpx.HTTPError):
            found = json.loads(address.read_text())
            served = Served(process, home, found["port"], Path(found["token_file"]).read_text().strip())
            if served.figure("model_loaded") == 1:
                return served
        time.sleep(0.1)


def ask(seed: int, **changes: object) -> dict[str, Any]:
    """A request for one to four seconds of speech."""
    rng = random.Random(seed)
    text = " ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 12)))
    given = {"model": "birds", "voice": "nora", "input": text, "seed": seed, "max_seconds": rng.uniform(0.5, 3)}
    given |= {"response_format": rng.choice(FORMATS), "stream_format": rng.choice(("audio", "audio", "sse"))}
    return {**given, "speed": rng.choice((1.0, 1.0, 0.8, 1.5)), **changes}


def read(client: httpx.Client, seen: Seen, kind: str, body: dict[str, Any], most_parts: int = 10**6) -> int:
    """Ask and read the sound, or a part of it."""
    began = time.perf_counter()
    with client.stream("POST", ROUTE, json=body) as answer:
        first_s, last = None, b""
        for part in itertools.islice(answer.iter_raw(), most_parts):
            first_s = first_s or time.perf_counter() - began
            last = (last + part)[-LONGEST_END:]
        status = answer.status_code
    if status == 200 and kind == "whole" and body["stream_format"] == "sse" and b"speech.audio.done" not in last:
        kind = "cut off"
    if status == 200 and kind == "whole":
        with seen.lock:
            seen.first_s.append(first_s or 0)
            seen.whole_s.append(time.perf_counter() - began)
    seen.count(kind, status)
    return status


def work(served: Served, seen: Seen, number: int, until_s: float) -> None:
    """One client: most of what it does is honest."""
    rng = random.Random(number)
    with served.client() as client:
        seed = number
        while time.monotonic() < until_s:
            seed += 1000
            kind = rng.choices(("whole", "leaves", "half", "long", "unfit"), (80, 8, 4, 4, 4))[0]
            try:
                if kind == "half":
                    with socket.create_connection(("127.0.0.1", served.port)) as connection:
                        connection.sendall(f"POST {ROUTE} HTTP/1.1\r\nHost: localhost\r\nContent-Le".encode())
                        time.sleep(rng.uniform(0, 2))
                    seen.count(kind, "left")
                elif kind == "long":
                    seen.count(kind, client.post(ROUTE, json=ask(seed, input="a " * 500_000)).status_code)
                elif kind == "unfit":
                    seen.count(kind, client.post(ROUTE, content=b'{"model": ').status_code)
                elif read(client, seen, kind, ask(seed), 1 if kind == "leaves" else 10**6) == 429:
                    time.sleep(rng.uniform(0.5, 1.5))
            except httpx.HTTPError as error:
                seen.count(kind, type(error).__name__)


def percentile(values: list[float], share: float) -> float:
    """A percentile in seconds."""
    return round(float(np.percentile(values, share)), 3) if values else 0.0


def load(served: Served, minutes: float, n_clients: int) -> dict[str, Any]:
    """Let clients ask for some minutes, and watch the host's memory."""
    seen, began = Seen(), time.monotonic()
    until_s = began + 60 * minutes
    threads = [threading.Thread(target=work, args=(served, seen, number, until_s)) for number in range(n_clients)]
    for thread in threads:
        thread.start()
    rss: list[float] = []
    while time.monotonic() < until_s:
        time.sleep(1)
        if time.monotonic() - began > WARM_UP * 60 * minutes:
            rss.append(served.figure("resident_bytes") / 2**20)
    for thread in threads:
        thread.join()
    quarter = max(1, len(rss) // 4)
    growth = float(np.mean(rss[-quarter:]) / np.mean(rss[:quarter]) - 1)
    return {
        "clients": n_clients,
        "minutes": minutes,
        "answers": dict(sorted(seen.statuses.items())),
        "first_sound_s": {f"p{share}": percentile(seen.first_s, share) for share in (50, 95, 99)},
        "whole_s": {f"p{share}": percentile(seen.whole_s, share) for share in (50, 95, 99)},
        "audio_s": round(served.figure("audio_seconds_total")),
        "rss_mb": {"after_warm_up": round(rss[0]), "end": round(rss[-1]), "growth": round(growth, 4)},
        "left_running": served.figure("takes_running") + served.figure("takes_waiting"),
    }


def job_starts(served: Served, voice: Path) -> list[tuple[float, float]]:
    """Seconds of a fresh process for its imports, and for a take of one frame by the host."""
    command = [sys.executable, "-c", STARTS, str(served.home), str(voice)]
    found = []
    for _ in range(5):
        said = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout.split()
        found.append((float(said[0]), float(said[1])))
    return found


def main() -> int:
    """Measure, print, and return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="./run.sh bench serve", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--host", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--voice", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.host is not None:
        host(options.host, options.voice)
        return 0
    with tempfile.TemporaryDirectory() as name:
        voice = make_voice(Path(name))
        served = start(Path(name) / "home", voice)
        try:
            alone = Seen()
            cpu_s = []
            with served.client() as client:
                for seed in range(20):
                    before_s = served.cpu_s()
                    with client.stream("POST", ROUTE, json=ask(seed, **PLAIN)) as answer:
                        next(answer.iter_raw())
                        cpu_s.append(served.cpu_s() - before_s)
                    read(client, alone, "whole", ask(seed, **PLAIN))
            starts = job_starts(served, voice)
            found = load(served, options.minutes, options.clients)
        finally:
            served.process.terminate()
            served.process.wait(30)
    found["alone_first_sound_s"] = {f"p{share}": percentile(alone.first_s, share) for share in (50, 95)}
    found["alone_first_sound_cpu_s"] = {f"p{share}": percentile(cpu_s, share) for share in (50, 95)}
    found["job_s"] = {
        "imports": percentile([imports for imports, _ in starts], 50),
        "take_of_a_frame": percentile([take for _, take in starts], 50),
    }
    allowed = ("whole 200", "whole 429", "leaves 200", "leaves 429", "half left", "long 413", "unfit 400")
    goals = {
        "no error but 429": all(kind in allowed for kind in found["answers"]),
        "memory flat": abs(found["rss_mb"]["growth"]) <= MOST_RSS_GROWTH,
        "all slots free": found["left_running"] == 0,
        "starts soon": found["alone_first_sound_s"]["p50"] < MOST_START_S,
    }
    print(json.dumps({**found, "goals": goals}))
    return 0 if all(goals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
