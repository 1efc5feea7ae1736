"""Client of a job that lets a resident host speak its takes."""

from __future__ import annotations

import http.client
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jobs.errors import UserError
from jobs.files.records import read_record
from jobs.http import unix_socket
from jobs.http.token_file import read_token
from jobs.qwen.speech.sound import Speech
from jobs.runner.paths import OUT
from jobs.speech_host.protocol import ADDRESS_FILE, KIND, PATH, SOCKET, TakesRequest, read_message

logger = logging.getLogger(__name__)

CONNECT_S = 5.0
SILENCE_S = 30.0
"""A host says that it is alive every half second; after so long without a word it is given up."""
BUSY = 429


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of the home."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect to the host."""
        self.sock = unix_socket.connect(self._path, CONNECT_S)


def find_hosts(home: Path) -> list[Path]:
    """Return the folders of hosts that may listen, the newest first."""
    return sorted((socket.parent for socket in home.glob(f"jobs/{KIND}-*/{SOCKET}")), reverse=True)


def speak(home: Path, request: TakesRequest, on_wait: Callable[[], None]) -> Iterator[tuple[int, Speech]]:
    """Let a host of the home speak takes, and yield the number of each, as in ``missing``, and its speech.

    Ends early where no host serves the model, or the host fails: the caller speaks what is missing by itself.

    Args:
        home: whose hosts are asked.
        request: of the takes.
        on_wait: called about twice a second; what it raises ends the synthesis, and frees the host.
    """
    for folder in find_hosts(home):
        try:
            connection = _ask(folder, request, on_wait)
            if connection is None:
                continue
            with connection:
                yield from _read_takes(connection, on_wait)
            return
        except (OSError, ValueError, http.client.HTTPException, _TokenUnreadableError) as error:
            logger.info("the host in %s does not speak: %s", folder, error)


class _TokenUnreadableError(Exception):
    """The host's token cannot be read."""


def _ask(folder: Path, request: TakesRequest, on_wait: Callable[[], None]) -> _Answer | None:
    try:
        token = read_token(_find_token(folder))
    except UserError as error:
        raise _TokenUnreadableError(error.message) from error
    body = request.model_dump_json().encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    while True:
        connection = _Connection(folder / SOCKET)
        connection.request("POST", PATH, body, headers)
        assert connection.sock is not None
        connection.sock.settimeout(SILENCE_S)
        answer = connection.getresponse()
        if answer.status == http.client.OK:
            logger.info("the host in %s speaks", folder)
            return _Answer(connection, answer)
        said = answer.read()
        connection.close()
        if answer.status != BUSY:
            logger.info("the host in %s refuses: %s", folder, json.loads(said).get("error", {}).get("message"))
            return None
        on_wait()
        time.sleep(min(1.0, float(answer.headers.get("Retry-After", "1"))))


def _find_token(folder: Path) -> Path:
    address = read_record(folder / OUT / ADDRESS_FILE) or {}
    return Path(str(address.get("token_file", "")))


class _Answer:
    """An answer that is being read."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection, self._response = connection, response

    def read(self, n_bytes: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        return self._response.read(n_bytes) if n_bytes else b""

    def __enter__(self) -> _Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _read_takes(answer: _Answer, on_wait: Callable[[], None]) -> Iterator[tuple[int, Speech]]:
    while True:
        header, samples = read_message(answer.read)
        on_wait()
        if "error" in header:
            raise ConnectionError(header["error"])
        if header.get("is_end"):
            return
        if "number" in header:
            yield header["number"], Speech(samples, bool(header["hit_limit"]), float(header["compute_s"]))
