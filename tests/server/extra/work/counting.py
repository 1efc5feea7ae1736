"""A kind of job for the tests of the server: counts as far as it may, then leaves a plot, a sound and a note behind."""

from __future__ import annotations

import logging
import struct
import time
import wave
import zlib
from pathlib import Path

from pydantic import Field

from jobs.errors import UserError
from jobs.param_types import InputPath, Strict
from jobs.runner.job_kind import JobKind
from jobs.runner.worker.context import JobContext

logger = logging.getLogger(__name__)


class Params(Strict):
    """Number to count to, and a file that must exist before the last step."""

    up_to: int = Field(3, ge=1, le=1000, description="Steps in all.")
    gate: InputPath | None = Field(None, description="Wait for this file before the end.")
    fails: bool = Field(False, description="Fail at the end.")
    drafts: bool = Field(False, description="Publish a draft before the end.")


class Result(Strict):
    """The number counted to."""

    counted: int
    note: str


def run(params: Params, context: JobContext) -> Result:
    """Count."""
    logger.info("counting up to %d", params.up_to)
    for step in range(1, params.up_to):
        context.progress(step, params.up_to, "counting", loss=2.0 / step)
    if params.drafts:
        draft = context.folder / "draft.txt"
        draft.write_text("counted so far\n")
        context.publish("draft", draft, "report")
    while params.gate is not None and not Path(params.gate).exists():
        context.raise_if_cancelled()
        time.sleep(0.01)
    if params.fails:
        raise UserError("count_lost", "The count was lost at the end.", "Count again with fails=false.")
    context.progress(params.up_to, params.up_to, "counted")
    folder = context.folder / "out"
    folder.mkdir(exist_ok=True)
    note = folder / "note.txt"
    note.write_text("counted\n")
    plot = folder / "loss.png"
    plot.write_bytes(png())
    sound = folder / "take.wav"
    with wave.open(str(sound), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(24_000)
        stream.writeframes(b"\0\0" * 2400)
    context.publish("note", note, "report")
    context.publish("plot", plot, "plot")
    context.publish("take", sound, "audio")
    context.publish("folder", folder, "other")
    return Result(counted=params.up_to, note=str(note))


def png() -> bytes:
    """One grey pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")
    )


KIND = JobKind(name="counting", params=Params, result=Result, entry="counting:run")
