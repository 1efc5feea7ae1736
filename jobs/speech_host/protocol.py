"""Request and answer of takes that a host speaks for a job.

The answer is a row of messages: the length of a JSON document in 4 bytes, the document, and the samples that it
announces. Between takes a message without a number says that the host is alive; the last one says that it is the end.
"""

import json
import struct
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import FailFast, Field

from jobs.param_types import Strict

PATH = "/takes"
SOCKET, ADDRESS_FILE = "host.sock", "address.json"
"""In the host's folder, and in that of its outputs."""
KIND = "serve_voice"
MOST_TAKES = 10_000
MOST_CHARACTERS = 2000
"""Of one take's text, as of ``synthesize``."""
LONGEST_HEADER = 64 * 1024
_LENGTH = struct.Struct(">I")
Text = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class WantedTake(Strict):
    """A take's own part of a request."""

    text: Text
    seed: int = Field(ge=0, lt=2**63)
    max_seconds: float = Field(gt=0, le=600)


class Sampling(Strict):
    """Settings of all takes, as of ``synthesize``; what is left out is as there."""

    greedy: bool = False
    temperature: float = Field(0.9, gt=0, le=2)
    top_k: int = Field(50, ge=1, le=3000)
    top_p: float = Field(1.0, gt=0, le=1)
    repetition_penalty: float = Field(1.05, ge=1, le=2)
    subtalker_temperature: float | None = Field(None, gt=0, le=2)
    subtalker_top_k: int | None = Field(None, ge=1, le=3000)
    subtalker_top_p: float | None = Field(None, gt=0, le=1)
    subtalker_greedy: bool | None = None


class TakesRequest(Strict):
    """Takes of a job.

    Attributes:
        folder: of the model.
        stamps: hash of its files: a host that has loaded other ones does not speak.
        takes: all of the job: they decide how many are spoken at once, and so how products are rounded.
        missing: places of those to speak, in order.
        sampling: settings of all takes.
    """

    folder: str = Field(max_length=4096)
    stamps: str = Field(max_length=64)
    speaker: str | None = Field(None, max_length=300)
    language: str = Field(max_length=40)
    instruct: str | None = Field(None, max_length=1000)
    takes: Annotated[list[WantedTake], Field(min_length=1, max_length=MOST_TAKES), FailFast()]
    missing: Annotated[list[int], Field(min_length=1, max_length=MOST_TAKES), FailFast()]
    sampling: Sampling


def encode_message(header: dict[str, Any], samples: NDArray[np.float32] | None = None) -> bytes:
    """Return a message; with samples its header has their number as ``n_samples``."""
    sound = b"" if samples is None else np.ascontiguousarray(samples, "<f4").tobytes()
    document = json.dumps(header | ({"n_samples": len(sound) // 4} if samples is not None else {})).encode()
    return _LENGTH.pack(len(document)) + document + sound


def read_message(read: Callable[[int], bytes]) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Read a message.

    Args:
        read: returns so many bytes, fewer at the end only.

    Raises:
        ConnectionError: the answer ended within it, or is none of a host.
    """
    (length,) = _LENGTH.unpack(_read(read, _LENGTH.size))
    if length > LONGEST_HEADER:
        raise ConnectionError("the answer is no host's")
    header: dict[str, Any] = json.loads(_read(read, length))
    sound = _read(read, 4 * int(header.get("n_samples", 0)))
    return header, np.frombuffer(sound, "<f4")


def _read(read: Callable[[int], bytes], n_bytes: int) -> bytes:
    content = read(n_bytes)
    if len(content) < n_bytes:
        raise ConnectionError("the host's answer ended early")
    return content
