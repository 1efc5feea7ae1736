"""The listening page and its answers, over HTTP on this machine alone.

Only this machine's own address, one random path that is the key, only pages of its own may write.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError

from jobs.errors import UserError
from server.listening.ratings import Listening, Said, SaidScore, SaidVote

ADDRESS = "127.0.0.1"
MAX_BODY_BYTES = 16_384
TIMEOUT_S = 30.0
_PAGE = Path(__file__).with_name("page.html")


class ListeningServer(ThreadingHTTPServer):
    """Serves the page until it is shut down.

    Args:
        listening: what is listened to.
        port: 0 takes a free one.

    Raises:
        UserError: ``port_taken``.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, listening: Listening, port: int = 0) -> None:
        self.listening = listening
        self.key = secrets.token_urlsafe(24)
        try:
            super().__init__((ADDRESS, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UserError("port_taken", f"Port {port} cannot be opened: {error}.", "Give another --port.") from error
        own = [f"{name}:{self.server_address[1]}" for name in (ADDRESS, "localhost")]
        self.hosts = frozenset(own)
        self.origins = frozenset(f"http://{host}" for host in own)

    @property
    def url(self) -> str:
        """Where a person opens the page."""
        return f"http://{ADDRESS}:{self.server_address[1]}/{self.key}/"


class _Handler(BaseHTTPRequestHandler):
    server: ListeningServer
    timeout = TIMEOUT_S
    server_version, sys_version = "tts-train", ""
    protocol_version = "HTTP/1.1"
    _ANSWERS: ClassVar[dict[str, type[Said]]] = {"score": SaidScore, "vote": SaidVote}

    def do_GET(self) -> None:
        """The page, what it shows, and audio."""
        match self._asked():
            case [""]:
                self._page()
            case ["contents"]:
                self._tell(HTTPStatus.OK, self.server.listening.contents())
            case ["take", number] if (take := _at(self.server.listening.takes, number)) is not None:
                self._audio(take.path)
            case ["pair", number, ("first" | "second") as place] if (
                pair := _at(self.server.listening.pairs, number)
            ) is not None:
                self._audio(pair.offered("first" if place == "first" else "second").path)
            case None:
                pass
            case _:
                self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:
        """A score or a vote."""
        self.close_connection = True  # an answer that was refused may leave a body unread
        asked = self._asked()
        if asked is None:
            return
        if len(asked) != 1 or asked[0] not in self._ANSWERS:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        elif self.headers.get("Origin", next(iter(self.server.origins))) not in self.server.origins:
            self._refuse(HTTPStatus.FORBIDDEN, "another page may not write here")
        elif self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        else:
            self._take_answer(asked[0])

    def _take_answer(self, word: str) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "say how long the body is")
            return
        if int(length) > MAX_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes")
            return
        try:
            said = self._ANSWERS[word].model_validate_json(self.rfile.read(int(length)))
            if isinstance(said, SaidScore):
                self.server.listening.score(said)
            elif isinstance(said, SaidVote):
                self.server.listening.vote(said)
        except ValidationError as error:
            first = error.errors()[0]
            self._refuse(HTTPStatus.BAD_REQUEST, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except LookupError:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such take")
        except UserError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, error.message)
        else:
            self._tell(HTTPStatus.OK, {"stored": True})

    def _asked(self) -> list[str] | None:
        """The words of the path after the key; None when the request was refused."""
        if self.headers.get("Host") not in self.server.hosts:
            # a name that was bent to this address would make a stranger's page one of ours
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this is not the host that you asked for")
            return None
        key, _, rest = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not secrets.compare_digest(key.encode(), self.server.key.encode()):
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
            return None
        return rest.split("/")

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(12)
        page = _PAGE.read_text(encoding="utf-8").replace("{{nonce}}", nonce).encode()
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; media-src 'self'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._head(HTTPStatus.OK, "text/html; charset=utf-8", len(page), {"Content-Security-Policy": policy})
        self.wfile.write(page)

    def _audio(self, path: Path) -> None:
        try:
            stream = path.open("rb")
        except OSError:
            self._refuse(HTTPStatus.NOT_FOUND, "the audio is gone")
            return
        with stream:
            self._head(HTTPStatus.OK, "audio/wav", os.fstat(stream.fileno()).st_size, {})
            shutil.copyfileobj(stream, self.wfile)

    def _tell(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        self._head(status, "application/json", len(body), {})
        self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True
        self._tell(status, {"error": why})

    def _head(self, status: HTTPStatus, kind: str, size_bytes: int, more: dict[str, str]) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(size_bytes),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            **more,
        }
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """The path holds the key: nothing is logged."""


def _at(many: Sequence[Any], number: str) -> Any:
    """The element of that number, or None."""
    return many[int(number)] if number.isdecimal() and len(number) < 6 and int(number) < len(many) else None
