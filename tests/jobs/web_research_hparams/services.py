"""A loopback server that speaks the formats of the services that research asks, and a transport that leads there."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx

JSON = "application/json; charset=utf-8"


@dataclass
class Reply:
    """An answer: status, headers and body, or what to do with the connection instead."""

    body: bytes = b""
    content_type: str = JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    act: Callable[[BaseHTTPRequestHandler], None] | None = None


@dataclass
class Services:
    """Answers by host and path, and the requests that came."""

    replies: dict[tuple[str, str], Reply]
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    posted: list[Any] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def transport(self) -> httpx.AsyncBaseTransport:
        """Leads every request to the loopback server, its host as a header: the client's own checks come before."""
        return _ToLoopback(self.port)


class _ToLoopback(httpx.AsyncBaseTransport):
    def __init__(self, port: int) -> None:
        self._inner, self._port = httpx.AsyncHTTPTransport(), port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["X-Meant-Host"] = request.url.host
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@contextmanager
def serving(replies: dict[tuple[str, str], Reply] | None = None) -> Iterator[Services]:
    """Serve on a free port of the loopback until left."""
    services = Services(ordinary() if replies is None else replies)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host, path = self.headers.get("X-Meant-Host", "127.0.0.1"), urlsplit(self.path).path
            services.seen.append((host, self.path, dict(self.headers)))
            reply = services.replies.get((host, path), Reply(b'{"message": "Not Found"}', status=404))
            if reply.act is not None:
                reply.act(self)
                return
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body)),
                                **reply.headers}.items():  # fmt: skip
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def do_POST(self) -> None:
            services.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    services.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield services
    finally:
        services.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


def reply(content: Any, **more: Any) -> Reply:
    """A JSON answer."""
    return Reply(json.dumps(content).encode(), **more)


def ordinary() -> dict[tuple[str, str], Reply]:
    """All services, answering well about training this model."""
    return {
        ("export.arxiv.org", "/api/query"): Reply(FEED.encode(), "application/atom+xml; charset=utf-8"),
        ("api.github.com", "/search/issues"): reply(ISSUES),
        ("api.github.com", "/search/repositories"): reply(REPOSITORIES),
        ("api.github.com", "/repos/someone/voices/readme"): reply(readme("someone/voices", README)),
        ("api.github.com", "/search/code"): reply(CODE),
        ("huggingface.co", "/api/models"): reply(MODELS),
        ("huggingface.co", "/anna/Qwen3-TTS-12Hz-0.6B-Anna/raw/main/README.md"): Reply(
            CARD.encode(), "text/plain; charset=utf-8"
        ),
    }


def issue(
    text: str, *, number: int = 7, repository: str = "someone/voices", title: str = "Which rate?"
) -> dict[str, Any]:
    """An issue as GitHub's search gives it with text matches."""
    return {
        "url": f"https://api.github.com/repos/{repository}/issues/{number}",
        "html_url": f"https://github.com/{repository}/issues/{number}",
        "id": 10_000 + number,
        "number": number,
        "title": title,
        "user": {"login": "someone", "id": 1},
        "state": "open",
        "comments": 3,
        "created_at": "2026-02-01T10:00:00Z",
        "updated_at": "2026-03-02T10:00:00Z",
        "body": text,
        "score": 1.0,
        "text_matches": [
            {"object_type": "Issue", "property": "body", "fragment": text[:120],
             "matches": [{"text": "learning", "indices": [0, 8]}]}
        ],
    }  # fmt: skip


def readme(repository: str, text: str) -> dict[str, Any]:
    """A README as GitHub's API gives it: base64 with line ends."""
    content = base64.encodebytes(text.encode()).decode()
    return {
        "type": "file", "encoding": "base64", "size": len(text), "name": "README.md", "path": "README.md",
        "content": content, "sha": "3d21", "html_url": f"https://github.com/{repository}/blob/main/README.md",
    }  # fmt: skip


FEED = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <link href="http://arxiv.org/api/query?search_query%3Dall%3Aspeech" rel="self" type="application/atom+xml"/>
  <title type="html">ArXiv Query: search_query=all:speech&amp;id_list=&amp;start=0&amp;max_results=5</title>
  <id>http://arxiv.org/api/cHxbiOdZaP56ODnBPIenZhzg5f8</id>
  <updated>2026-03-01T00:00:00-05:00</updated>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">1</opensearch:totalResults>
  <entry>
    <id>http://arxiv.org/abs/2601.01234v2</id>
    <updated>2026-01-09T18:00:00Z</updated>
    <published>2026-01-05T18:00:00Z</published>
    <title>Tuning speech
      models</title>
    <summary>  We adapt Qwen3-TTS to one narrator with full
fine-tuning and a learning rate of $3 \\times 10^{-6}$ for 2 epochs.
</summary>
    <author><name>A. Person</name></author>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="eess.AS" scheme="http://arxiv.org/schemas/atom"/>
    <link href="http://arxiv.org/abs/2601.01234v2" rel="alternate" type="text/html"/>
  </entry>
</feed>"""
ISSUES = {
    "total_count": 2,
    "incomplete_results": False,
    "items": [
        issue("Full fine-tuning of Qwen3-TTS 0.6B: learning rate 3e-6 worked for my narrator, batch size 4."),
        issue(
            "With the official script lr 2e-5 gave noise.", number=8, repository="other/place", title="Qwen3-TTS noise"
        ),
    ],
}
REPOSITORIES = {
    "total_count": 1,
    "incomplete_results": False,
    "items": [{"id": 1, "full_name": "someone/voices", "html_url": "https://github.com/someone/voices",
               "stargazers_count": 4,               "description": "voices", "pushed_at": "2026-04-05T06:07:08Z"}],
}  # fmt: skip
README = """# Qwen3-TTS voices
| parameter | value |
|---|---|
| learning rate | 3e-6 |
| epochs | 2 |
"""
CODE = {
    "total_count": 1,
    "incomplete_results": False,
    "items": [
        {"name": "train.sh", "path": "examples/train.sh", "sha": "1", "score": 1.0,
         "html_url": "https://github.com/modelscope/ms-swift/blob/main/examples/models/qwen3_tts/train.sh",
         "repository": {"full_name": "modelscope/ms-swift"},
         "text_matches": [{"object_type": "FileContent", "property": "content",
                           "fragment": "--model Qwen/Qwen3-TTS-12Hz-1.7B-Base --learning_rate 1e-5"}]}
    ],
}  # fmt: skip
MODELS = [
    {"_id": "1", "id": "Qwen/Qwen3-TTS-12Hz-0.6B-Base", "likes": 9, "downloads": 900, "tags": []},
    {"_id": "2", "id": "anna/Qwen3-TTS-12Hz-0.6B-Anna", "lastModified": "2026-04-01T00:00:00.000Z", "downloads": 12,
     "likes": 3, "private": False, "tags": ["text-to-speech", "base_model:Qwen/Qwen3-TTS-12Hz-0.6B-Base"]},
    {"_id": "3", "id": "../../etc/passwd", "downloads": 1},
]  # fmt: skip
CARD = """---
license: apache-2.0
base_model: Qwen/Qwen3-TTS-12Hz-0.6B-Base
---
# Anna
Training of Qwen3-TTS:

- learning_rate: 4e-6
- num_epochs: 1
- warmup steps: 50
"""
BRAVE = {
    "type": "search",
    "web": {
        "type": "search",
        "results": [
            {"title": "Tuning <strong>Qwen3-TTS</strong>", "url": "https://blog.example/tuning",
             "description": "Use a <strong>learning rate</strong> of 2e-6 for Qwen3-TTS.",
             "page_age": "2026-05-06T00:00:00",             "extra_snippets": ["batch size 4"]},
            {"title": "Bad link", "url": "javascript:alert(1)", "description": "learning rate 1e-6"},
        ],
    },
}  # fmt: skip
SEARXNG = {
    "query": "q",
    "number_of_results": 1,
    "results": [{"title": "Tuning", "url": "https://blog.example/tuning", "content": "Qwen3-TTS with lr 2e-6",
                 "publishedDate": "2026-05-06T00:00:00", "engine": "duckduckgo"}],
}  # fmt: skip
TAVILY = {
    "query": "q",
    "answer": None,
    "results": [{"title": "Tuning", "url": "https://blog.example/tuning", "content": "Qwen3-TTS with lr 2e-6",
                 "score": 0.9,                 "raw_content": None}],
    "response_time": 1.2,
}  # fmt: skip
