"""Cost rules of job kinds: how time, memory and disk grow with the amount of input. Standard library only."""

import io
import math
import os
import struct
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.audio import AUDIO_SUFFIXES
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.errors import UserError
from jobs.files.json_documents import parse_json
from jobs.files.reading import open_regular, read_lines

MOST_BOXES = 1000  # at the top level of an MP4; a stranger's file may have millions
WAV_HEADER_BYTES = 16_384  # with tags before the sound
COMPRESSED_BYTES_PER_S = 8_000  # audiobooks are sold at 64 kbit/s; a better recording makes the estimate too long
CHARACTERS_PER_S = 15  # of read speech
CLIP_BYTES_PER_S = SAMPLE_RATE_HZ * 2  # 16 bit, mono
MOST_OPENED = 2_000  # files of a folder; the others count as their mean
UNKNOWN_CLIP_S = 5.0  # of a manifest's line that has no duration
Params = Mapping[str, Any]
Amount = Callable[[Params], float]


UNREADABLE = (UserError, OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, EOFError)
"""What parameters of another version, and inputs that anybody may have made, raise."""


@dataclass(frozen=True)
class Cost:
    """Needs of one kind of work, by a rule of thumb.

    Attributes:
        amount: computes the amount of input from the parameters; 0 when nothing can be said.
        unit: of the amount, for the reader.
        s_each: seconds per unit on one core.
        s_fixed: seconds to load what is needed.
        memory_mb: largest main memory, approximately.
        bytes_each: bytes written per unit.
        way: names the way of working that the parameters choose, where ways differ in speed; only earlier jobs of the
            same way say how long one takes.
        planned: returns the amount by the plan of a dry run, which has opened the inputs; 0 when it says none.
        made: field of the result with the amount that was read.
    """

    amount: Amount
    unit: str
    s_each: float
    s_fixed: float
    memory_mb: int
    bytes_each: float
    way: Callable[[Params], str] | None = None
    planned: Callable[[Params], float] | None = None
    made: str = ""

    def is_same_way(self, params: Params, others: Params) -> bool:
        """Return whether two jobs work in the same way; one of an older version, whose way is unknown, does not."""
        if self.way is None:
            return True
        try:
            return self.way(params) == self.way(others)
        except UNREADABLE:
            return False

    def measure(self, params: Params, planned: Params | None = None) -> float:
        """Return the amount of input, by the plan where it says so; 0 when it cannot be read."""
        try:
            amount = self.planned(planned) if self.planned is not None and planned else 0.0
            amount = amount or self.amount(params)
        except UNREADABLE:
            return 0.0
        return amount if math.isfinite(amount) and amount > 0 else 0.0

    def measure_done(self, params: Params, result: Params | None) -> float:
        """Return the amount of input of a job that has succeeded."""
        made = (result or {}).get(self.made)
        return float(made) if isinstance(made, int | float) and made > 0 else self.measure(params)


def plan_repeated(training: Mapping[str, Any], n: int, *, more_s: float = 0.0, n_on_disk: int = 1) -> dict[str, Any]:
    """Return time, memory and disk of ``n`` trainings by the plan of one.

    Args:
        training: plan of one training; parts that it does not know stay unknown.
        n: number of trainings.
        more_s: seconds of other work after each, such as speaking and rating.
        n_on_disk: trainings whose files are on the disk at once.
    """
    found: dict[str, Any] = {}
    time = training.get("time", {})
    if "about_min" in time:
        minutes = n * (time["about_min"] + more_s / 60)
        found["time"] = {"about_min": round(minutes, 1), "from": f"{n} times one: {time['from']}"}
    elif time:
        found["time"] = {"from": time["from"]}
    memory = training.get("memory", {})
    if memory:
        kept = ("peak_gb", "of", "free_gb", "total_gb", "fits", "cheapest_change")
        found["memory"] = {name: memory[name] for name in kept if name in memory}
    disk = training.get("disk", {})
    if disk:
        need = disk["need_gb"] * n_on_disk
        found["disk"] = {"need_gb": round(need, 2), "free_gb": disk["free_gb"], "fits": need <= disk["free_gb"]}
        if "download_gb" in disk:
            found["disk"]["download_gb"] = disk["download_gb"]
    return found


def audio_seconds(params: Params, name: str, limit: str = "") -> float:
    """Estimate the seconds of a recording, or of all recordings in a folder and those below, without decoding.

    Args:
        params: parameters of a job.
        name: parameter that names the file or folder.
        limit: parameter that bounds the seconds, if it is set.
    """
    path = Path(params[name])
    files = list_audio(path) if path.is_dir() else [path]
    opened = files[:MOST_OPENED]
    real = {os.path.realpath(file): file for file in opened}  # many links may lead to one file
    seconds = sum(map(_file_seconds, real.values())) * len(files) / max(1, len(opened))
    return min(seconds, float(params[limit])) if params.get(limit) else seconds


def list_audio(folder: Path) -> list[Path]:
    """Return the files below a folder whose names are of audio, without hidden ones."""
    found = (path for path in folder.glob("**/*") if path.suffix.lower() in AUDIO_SUFFIXES)
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def manifest_seconds(params: Params, name: str = "manifest") -> float:
    """Sum the durations of a manifest's clips."""
    lines = read_lines(Path(params[name]))
    return sum((float(parse_json(line).get("duration_s") or UNKNOWN_CLIP_S) for line in lines if line.strip()), 0.0)


def spoken_seconds(params: Params, name: str = "texts") -> float:
    """Estimate the seconds of speech of a list of texts."""
    return sum(len(text) for text in params[name]) / CHARACTERS_PER_S


def count_lines(params: Params, name: str, file: str = "") -> float:
    """Count the lines of a file, or of ``file`` in a folder, that are not empty."""
    path = Path(params[name])
    lines = read_lines(path / file if path.is_dir() else path)
    return float(sum(1 for line in lines if line.strip()))


def _file_seconds(path: Path) -> float:
    if not path.is_file():
        return 0.0
    if path.suffix.lower() != ".wav":
        return _mp4_seconds(path) or path.stat().st_size / COMPRESSED_BYTES_PER_S
    try:
        with open_regular(path) as stream, wave.open(io.BytesIO(stream.read(WAV_HEADER_BYTES))) as sound:
            return float(sound.getnframes() / sound.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):  # of floats, of more than 4 GB, or with a long head
        return path.stat().st_size / CLIP_BYTES_PER_S
    except UserError:
        return 0.0


def _mp4_seconds(path: Path) -> float:
    """Read the length that an MP4 states in its movie header (ISO/IEC 14496-12, 8.2.2); 0 when there is none."""
    start, n_bytes = 0, path.stat().st_size
    with path.open("rb") as stream:
        for _ in range(MOST_BOXES):
            if len(head := stream.read(48)) < 48:
                break
            size, kind, large_size = struct.unpack_from(">I4sQ", head)
            if start == 0 and kind != b"ftyp":
                break
            if kind == b"moov" and head[12:16] == b"mvhd":
                rate, length = struct.unpack_from(">IQ" if head[16] else ">II", head, 36 if head[16] else 28)
                is_known = rate and length not in (2**32 - 1, 2**64 - 1)
                return float(length / rate) if is_known else 0.0
            start += max(8, large_size if size == 1 else size or n_bytes)  # size 0: to the end of the file
            stream.seek(min(start, n_bytes))
    return 0.0
