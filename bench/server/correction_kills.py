"""Corrections under kill -9: ``./run.sh bench correction_kills [--kills 200] [--servers 40] [--seed N]``.

Servers of the web application are killed while corrections are sent to them: every one that was answered must be in the
record, once. Then the record is applied by processes that are killed at random moments; the dataset must be the one of
an application that was never stopped, byte by byte. Exit code 1 if it is not.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.dataset.corrections.apply import apply_corrections
from jobs.dataset.corrections.record import read_corrections, record_of
from jobs.dataset.manifest import Clip, Source, write_rows
from jobs.settings import PROJECT_ROOT
from server.web.admission import COOKIE
from tests.support.kills.process_killer import killed_until_done
from tests.support.null_context import NullContext

N_CLIPS, CLIP_S = 40, 2.0


def main(argv: Sequence[str] | None = None) -> int:
    """Kill, compare, print."""
    parser = argparse.ArgumentParser(prog="run.sh bench correction_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--servers", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        home, whole = Path(name, "home"), Path(name, "whole")
        dataset = home / "datasets" / "anna"
        book = Path(name, "book.wav")
        ramp = np.linspace(-0.5, 0.5, int(N_CLIPS * CLIP_S * CLIP_RATE_HZ), dtype=np.float32)
        write_clip(book, ramp, CLIP_RATE_HZ)
        for folder in (dataset, whole):
            make_dataset(folder, ramp)
        answered = [each for number in range(options.servers) for each in correct_until_killed(home, number, rng)]
        said = [one.parts[0].text for one in read_corrections(record_of(dataset))]
        lost, doubled = set(answered) - set(said), len(said) - len(set(said))
        print(f"{options.servers} servers killed: {len(answered)} corrections answered, {len(said)} recorded, "
              f"{len(lost)} lost, {doubled} twice", flush=True)  # fmt: skip
        record_of(whole).write_bytes(record_of(dataset).read_bytes())
        apply(whole, book)
        n_killed = n_different = n_rounds = 0
        while n_killed < options.kills:
            n_killed += killed_until_done(lambda: apply(dataset, book), rng, 0.1, min(5, options.kills - n_killed))
            n_different += content(dataset) != content(whole)
            n_rounds += 1
        print(f"apply_corrections killed {n_killed} times in {n_rounds} rounds: {n_different} results differ")
    return 0 if not (lost or doubled or n_different) else 1


def make_dataset(folder: Path, ramp: Any) -> None:
    """Write clips of two seconds each."""
    rows = []
    for number in range(N_CLIPS):
        audio, start_s = f"clips/{number:03d}.wav", number * CLIP_S
        (folder / "clips").mkdir(parents=True, exist_ok=True)
        part = ramp[int(start_s * CLIP_RATE_HZ) : int((start_s + CLIP_S) * CLIP_RATE_HZ)]
        write_clip(folder / audio, part, CLIP_RATE_HZ)
        source = Source(recording="book.wav", start_s=start_s, end_s=start_s + CLIP_S)
        rows.append(Clip(audio=audio, text=f"Text {number}.", duration_s=CLIP_S, source=source))
    write_rows(folder / "train_manifest.jsonl", rows)


def correct_until_killed(home: Path, number: int, rng: random.Random) -> list[str]:
    """Send corrections to a server that is killed meanwhile; return the texts of those that were answered."""
    env = os.environ | {"TTS_TRAIN_HOME": str(home), "TTS_TRAIN_CWD": str(home), "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-m", "server.cli", "web"]
    server = subprocess.Popen(command, env=env, cwd=home, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    host, _, key = server.stderr.readline().split()[1].removeprefix("http://").partition("/")
    killer = threading.Timer(rng.uniform(0.05, 0.6), server.kill)
    answered: list[str] = []
    try:
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("GET", f"/{key}")
        first = connection.getresponse()
        cookie, page = first.headers["set-cookie"], first.read().decode()
        root = page.partition("url=")[2].partition('"')[0]
        headers = {"Cookie": f"{COOKIE}={cookie.partition('=')[2].partition(';')[0]}", "Origin": f"http://{host}",
                   "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
        killer.start()
        while True:
            clip, text = rng.randrange(N_CLIPS), f"Server {number} correction {len(answered)}."
            key = f"book.wav@{clip * CLIP_S:.3f}-{(clip + 1) * CLIP_S:.3f}"
            end_s = (clip + 1) * CLIP_S + rng.choice([0, -0.5, 0.5])
            fields = {"clip": key, "text": text, "end_s": f"{max(0.5, min(end_s, N_CLIPS * CLIP_S)):.3f}"}
            known = [one for one in read_corrections(record_of(home / "datasets" / "anna")) if one.clip == key]
            fields["seen"] = known[-1].id if known else ""
            connection.request("POST", f"{root}datasets/anna/correct", urlencode(fields), headers)
            answer = connection.getresponse()
            said = answer.read().decode()
            assert answer.status == 200, said
            answered.append(text)
    except (OSError, http.client.HTTPException):
        pass
    finally:
        killer.cancel()
        server.kill()
        server.wait()
    return answered


def apply(dataset: Path, book: Path) -> None:
    """Apply the record as a worker does."""
    context: Any = NullContext(dataset)
    apply_corrections(dataset, book, context)


def content(dataset: Path) -> dict[str, bytes]:
    """Return every file of a dataset, without what a killed writer has left."""
    return {
        path.relative_to(dataset).as_posix(): path.read_bytes()
        for path in sorted(dataset.rglob("*"))
        if path.is_file() and not path.name.endswith(".tmp")
    }


if __name__ == "__main__":
    sys.exit(main())
