"""The listening page over real HTTP: audio, ratings, refusals."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from jobs.dataset.takes import Take
from jobs.errors import UserError
from jobs.rating.human_ratings import preferences, read_opinions
from jobs.settings import Settings
from server.listening.app import ADDRESS, MAX_BODY_BYTES, ListeningServer, listening_app, listening_pages
from server.listening.command import announcement, listening_server
from server.listening.rating_session import RatingSession

N_TEXTS = 6
Answer = tuple[int, http.client.HTTPMessage, bytes]
Ask = Callable[..., Answer]


def write_takes(folder: Path, model: str, n_texts: int = N_TEXTS) -> Path:
    """Takes whose audio says whose it is."""
    folder.mkdir()
    takes = [Take(audio=f"{n:03d}.wav", text=f"Text {n}.", duration_s=1.0, model=model) for n in range(n_texts)]
    for take in takes:
        (folder / take.audio).write_bytes(f"{model} {take.audio}".encode())
    (folder / "takes.jsonl").write_text("".join(take.model_dump_json() + "\n" for take in takes))
    return folder / "takes.jsonl"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ListeningServer]:
    tuned, clone = write_takes(tmp_path / "tuned", "tuned"), write_takes(tmp_path / "clone", "clone")
    with ListeningServer(RatingSession(tuned, [clone], random.Random(3))) as made:
        thread = threading.Thread(target=made.serve)
        thread.start()
        yield made
        made.stop()
        thread.join()


@pytest.fixture
def ask(server: ListeningServer) -> Ask:
    """One request: (path below the key, body or None, headers) to status, headers, body."""

    def ask(path: str, body: Any = None, *, key: str | None = None, method: str = "", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(ADDRESS, server.port, timeout=10)
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        given = ({"Content-Type": "application/json"} if body is not None else {}) | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        where = f"/{server.key if key is None else key}/{path}"
        try:
            connection.request(method or ("POST" if body is not None else "GET"), where, content, given)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    return ask


def test_the_page_and_the_takes_audio_are_served(ask: Ask) -> None:
    status, headers, page = ask("")
    listed = json.loads(ask("contents")[2])
    _, audio_headers, audio = ask("take/2")

    assert status == 200
    assert b"{{nonce}}" not in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert [take["text"] for take in listed["takes"]] == [f"Text {n}." for n in range(N_TEXTS)]
    assert (audio_headers["Content-Type"], audio) == ("audio/wav", b"tuned 002.wav")


def test_a_part_of_the_audio_is_served_so_that_the_player_can_seek(ask: Ask, server: ListeningServer) -> None:
    wav = bytes(n % 251 for n in range(5000))
    server.session.takes[0].path.write_bytes(wav)

    whole = ask("take/0")
    part = ask("take/0", Range="bytes=1000-1999")
    rest = ask("take/0", Range="bytes=4000-")
    beyond = ask("take/0", Range="bytes=5000-6000")
    head = ask("take/0", method="HEAD")

    assert (whole[0], whole[1]["Accept-Ranges"], whole[2]) == (200, "bytes", wav)
    assert (part[0], part[1]["Content-Range"], part[2]) == (206, "bytes 1000-1999/5000", wav[1000:2000])
    assert (rest[0], rest[2]) == (206, wav[4000:])
    assert (beyond[0], beyond[1]["Content-Range"]) == (416, "bytes */5000")
    assert (head[0], head[1]["Content-Length"], head[1]["Accept-Ranges"], head[2]) == (200, "5000", "bytes", b"")


def test_every_response_carries_the_security_headers(ask: Ask) -> None:
    for answer in (ask(""), ask("take/0"), ask("nothing"), ask("contents", key="x"), ask("contents", Host="evil")):
        assert answer[1]["Cache-Control"] == "no-store"
        assert answer[1]["X-Content-Type-Options"] == "nosniff"
        assert answer[1]["Referrer-Policy"] == "no-referrer"
        assert answer[1]["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_refusal_says_in_plain_text_why(ask: Ask) -> None:
    score = {"take": 0, "score": 3}

    assert ask("nothing")[2] == b"Not found"
    assert ask("contents", key="x")[2] == b"Not found"
    assert ask("score", score, Origin="http://evil.example")[2] == b"Cross-origin request refused"
    assert ask("score", iter([b"{}"]))[2] == b"Content-Length required"
    assert ask("contents", Host="evil.example")[2] == b"Host not allowed"


def test_audio_that_was_deleted_is_not_found(ask: Ask, server: ListeningServer) -> None:
    server.session.takes[0].path.unlink()

    assert ask("take/0")[0] == 404


def test_the_narrator_is_heard_beside_the_takes(tmp_path: Path) -> None:
    clip = tmp_path / "narrator.wav"
    clip.write_bytes(b"the narrator")
    takes = write_takes(tmp_path / "tuned", "tuned")

    for narrator, status in ((clip, 200), (None, 404)):
        session = RatingSession(takes, narrator=narrator)
        client = TestClient(listening_pages(session))
        assert client.get("/contents").json()["has_narrator"] is (narrator is not None)
        assert client.get("/narrator").status_code == status


def test_a_score_is_kept_with_who_gave_it(ask: Ask, server: ListeningServer) -> None:
    status, _, body = ask("score", {"take": 1, "score": 4, "who": "Ada", "note": "calm"})

    (score,) = read_opinions(server.session.folder).scores
    assert (status, json.loads(body)) == (200, {"stored": True})
    assert (score.audio, score.text, score.score, score.who, score.note, score.model) == (
        "001.wav", "Text 1.", 4, "Ada", "calm", "tuned",
    )  # fmt: skip
    assert score.at > 1_700_000_000


def test_blind_pairs_come_in_both_orders_equally_and_a_vote_goes_to_the_take_that_was_heard(
    ask: Ask, server: ListeningServer
) -> None:
    n_pairs = len(json.loads(ask("contents")[2])["pairs"])

    for pair in range(n_pairs):
        heard = {place: ask(f"pair/{pair}/{place}")[2] for place in ("first", "second")}
        assert sorted(audio.split()[0] for audio in heard.values()) == [b"clone", b"tuned"]
        winner = next(place for place, audio in heard.items() if audio.startswith(b"tuned"))
        assert ask("vote", {"pair": pair, "winner": winner})[0] == 200

    votes = read_opinions(server.session.folder).votes
    (found,) = preferences(votes)
    assert [vote.heard_first for vote in votes].count("audio") == N_TEXTS // 2
    assert (found.model, found.against_model, found.share, found.n_blind) == ("tuned", "clone", 1.0, N_TEXTS)
    assert {(server.session.folder / vote.against).read_bytes().split()[0] for vote in votes} == {b"clone"}


def test_nothing_on_the_page_tells_which_voice_is_which(ask: Ask) -> None:
    headers = ask("pair/0/first")[1]
    told = ask("")[2] + ask("contents")[2] + str(headers).encode()

    assert b"tuned" not in told
    assert b"clone" not in told
    assert not {"last-modified", "etag"} & {name.lower() for name in headers}


@pytest.mark.parametrize("key", ["", "x", "a" * 32])
def test_without_the_key_there_is_nothing(ask: Ask, key: str) -> None:
    assert ask("contents", key=key)[0] == 404
    assert ask("score", {"take": 0, "score": 3}, key=key)[0] == 404


def test_another_host_name_of_this_address_is_refused(ask: Ask) -> None:
    assert ask("contents", Host="evil.example")[0] == 421


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"take": 0, "score": 3}, {"Origin": "http://evil.example"}, 403),
        ({"take": 0, "score": 3}, {"Content_Type": "text/plain"}, 415),
        ({"take": 0, "score": 6}, {}, 400),
        ({"take": 0, "score": 3, "more": 1}, {}, 400),
        ({"take": 99, "score": 3}, {}, 404),
        (b"{", {}, 400),
        (b" " * (MAX_BODY_BYTES + 1), {}, 413),
        (b"", {"Content_Length": "-5"}, 400),  # no body: closing on unread bytes would reset the connection
        (iter([b"{}"]), {}, 411),
    ],
)
def test_a_bad_answer_is_refused_and_nothing_is_kept(
    ask: Ask, server: ListeningServer, body: Any, headers: dict[str, str], status: int
) -> None:
    assert ask("score", body, **headers)[0] == status
    assert not (server.session.folder / "human_ratings.jsonl").exists()


def test_a_chunked_body_is_no_way_around_the_limit(server: ListeningServer) -> None:
    head = (
        f"POST /{server.key}/score HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection((ADDRESS, server.port), 10) as connection:
        connection.sendall(head.encode() + f"{2 * MAX_BODY_BYTES:x}\r\n".encode() + b" " * 2 * MAX_BODY_BYTES)
        answer = connection.recv(100)

    assert answer.split()[1] in (b"400", b"413")


@pytest.mark.anyio
async def test_a_flood_without_the_key_takes_nothing_from_the_rater(server: ListeningServer) -> None:
    app = listening_app(server.session, server.key, server.port)
    headers = [(b"host", f"127.0.0.1:{server.port}".encode())]
    statuses: list[int] = []

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    for key in ["wrong"] * 2000 + [server.key]:
        scope = {"type": "http", "method": "GET", "path": f"/{key}/contents", "headers": headers, "query_string": b""}
        await app({**scope, "root_path": "", "client": ("127.0.0.1", 1)}, receive, send)

    assert set(statuses[:-2]) == {404, 0}
    assert statuses[-2:] == [200, 0]


@pytest.mark.parametrize("path", ["take/99", "take/-1", "take/../../secret", "pair/0/third", "takes.jsonl", "take/1e9"])
def test_what_is_no_take_is_not_served(ask: Ask, path: str) -> None:
    assert ask(path)[0] == 404


def test_voices_that_share_no_text_cannot_be_compared(tmp_path: Path) -> None:
    one, other = write_takes(tmp_path / "one", "one"), write_takes(tmp_path / "other", "other")
    other.write_text(other.read_text().replace("Text", "Other"))

    with pytest.raises(UserError) as refusal:
        RatingSession(one, [other])

    assert refusal.value.code == "no_common_text"


def test_the_command_opens_the_page_of_a_folder_of_takes(tmp_path: Path) -> None:
    write_takes(tmp_path / "takes", "tuned")

    with listening_server(["takes"], Settings(tmp_path / "home", tmp_path / "envs", (tmp_path,)), "") as made:
        assert made.url.startswith(f"http://127.0.0.1:{made.port}/")
        assert len(made.session.takes) == N_TEXTS


def test_takes_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no .*gone"):
        listening_server(["gone"], Settings(tmp_path / "home", tmp_path / "envs", (tmp_path,)), "")


def test_a_folders_name_does_not_move_the_cursor() -> None:
    line = announcement("http://127.0.0.1:1/k/", Path("/d/\x1b[2Jx\ny/human_ratings.jsonl"))

    assert line.endswith("ratings are saved in /d/\\u001b[2Jx\\ny/human_ratings.jsonl)\n")
