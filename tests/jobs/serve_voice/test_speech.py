"""Speech over HTTP: formats, streaming, voices, errors, clients that leave, a full queue."""

from __future__ import annotations

import base64
import io
import json
import socket
import wave
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
import soundfile

from jobs.qwen.devices import limit_cpu_threads
from jobs.qwen.model_info import describe_model
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.synthesizer import load_synthesizer
from jobs.runner.worker.context import Cancelled
from jobs.serve_voice.host.voice_host import make_names
from jobs.serve_voice.params import Params, Result
from jobs.serve_voice.sound.encoder import CONTENT_TYPES, to_pcm
from jobs.speech_host.protocol import SOCKET
from tests.jobs.serve_voice.conftest import RunningHost, start_host

TEXT = "A thirsty crow found a pitcher."
ROUTE = "/v1/audio/speech"


def body(**changes: object) -> dict[str, object]:
    return {"model": "birds", "voice": "nora", "input": TEXT, "max_seconds": 0.4, "seed": 1, **changes}


def test_pcm_is_what_the_voice_speaks_alone_up_to_rounding(host: RunningHost, voice: Path) -> None:
    alone = load_synthesizer(describe_model(voice), "cpu", speaker="nora", language="auto")
    limit_cpu_threads(alone.n_parameters)
    expected = to_pcm(alone.synthesize(TEXT, Decoding(seed=1, max_seconds=0.4)).samples)
    with host.client() as client:
        answer = client.post(ROUTE, json=body(response_format="pcm"))

    heard, spoken = (np.frombuffer(each, "<i2").astype(int) for each in (answer.content, expected))
    assert answer.status_code == 200
    assert len(heard) == len(spoken) == 5 * 1920
    assert np.abs(heard - spoken).max() <= 1


@pytest.mark.parametrize("name", sorted(CONTENT_TYPES))
def test_each_format_is_complete_and_comes_in_parts(host: RunningHost, name: str) -> None:
    with host.client() as client, client.stream("POST", ROUTE, json=body(response_format=name)) as answer:
        parts = list(answer.iter_raw())

    content = b"".join(parts)
    assert (answer.status_code, answer.headers["content-type"]) == (200, CONTENT_TYPES[name])
    assert "content-length" not in answer.headers
    assert len(parts) > 1
    if name == "pcm":
        assert len(content) == 5 * 1920 * 2
    else:
        with av.open(io.BytesIO(content)) as container:
            seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
        assert seconds == pytest.approx(0.4, abs=0.07)


def test_a_file_that_is_not_streamed_has_its_length(host: RunningHost) -> None:
    with host.client() as client:
        answer = client.post(ROUTE, json=body(response_format="wav", stream=False))
        flac = client.post(ROUTE, json=body(response_format="flac", stream=False))

    assert soundfile.info(io.BytesIO(flac.content)).frames == 9600
    with wave.open(io.BytesIO(answer.content)) as reader:
        assert (reader.getnframes(), reader.getframerate(), reader.getnchannels()) == (9600, 24_000, 1)
    assert int(answer.headers["content-length"]) == 9600 * 2 + 44


@pytest.mark.parametrize("speed", [0.5, 1.5, 4.0])
def test_another_speed_changes_the_length_and_not_how_it_is_streamed(host: RunningHost, speed: float) -> None:
    with host.client() as client:
        usual = client.post(ROUTE, json=body(response_format="pcm", max_seconds=2.0)).content
        parts = client.post(ROUTE, json=body(response_format="pcm", max_seconds=2.0, speed=speed)).content
        whole = client.post(ROUTE, json=body(response_format="pcm", max_seconds=2.0, speed=speed, stream=False)).content

    assert len(parts) / len(usual) == pytest.approx(1 / speed, abs=0.03)
    assert parts == whole


def test_events_carry_the_sound_and_end_with_what_it_took(host: RunningHost) -> None:
    with host.client() as client:
        plain = client.post(ROUTE, json=body(response_format="wav")).content
        answer = client.post(ROUTE, json=body(response_format="wav", stream_format="sse"))

    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    *deltas, done = events
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert len(deltas) > 1
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == plain
    assert (done["type"], done["usage"]["output_tokens"]) == ("speech.audio.done", 5)
    assert done["usage"]["total_tokens"] - 5 == done["usage"]["input_tokens"] > 3


def test_voices_models_health_and_metrics_say_what_is_served(host: RunningHost) -> None:
    with host.client() as client:
        client.post(ROUTE, json=body())
        voices = client.get("/v1/audio/voices").json()["voices"]
        models = client.get("/v1/models").json()["data"]
        health = client.get("/health", headers={"Authorization": ""})
        metrics = client.get("/metrics").text

    assert [(one["id"], one["model"], one["takes_instruct"]) for one in voices] == [
        ("nora", "birds", True), ("otto", "birds", True)
    ]  # fmt: skip
    assert [model["id"] for model in models] == ["birds"]
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert 'tts_train_requests_total{route="/v1/audio/speech",status="200"}' in metrics
    assert 'tts_train_model_loaded{model="birds"} 1' in metrics
    assert "tts_train_first_sound_seconds_count" in metrics


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"model": "cats"}, 404, "model_not_served"),
        ({"voice": "alloy"}, 404, "voice_not_served"),
        ({"input": ""}, 400, "text_empty"),
        ({"input": "x" * 2001}, 400, "text_too_long"),
        ({"input": "a " * 500_000}, 413, "body_too_large"),
        ({"speed": 0.2}, 400, "speed_unsupported"),
        ({"speed": 4.1}, 400, "speed_unsupported"),
        ({"language": "klingon"}, 400, "language_unknown"),
        ({"response_format": "midi"}, 400, "request_invalid"),
        ({"colour": "red"}, 400, "request_invalid"),
        ({"stream_format": "sse", "stream": False}, 400, "stream_unsupported"),
    ],
)
def test_what_cannot_be_spoken_is_refused_in_the_form_of_openai(
    host: RunningHost, changes: dict[str, object], status: int, code: str
) -> None:
    with host.client() as client:
        answer = client.post(ROUTE, json=body(**changes))

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"model": "birds"' + b"[" * 30_000])
def test_a_body_that_is_no_json_is_refused(host: RunningHost, content: bytes) -> None:
    with host.client() as client:
        answer = client.post(ROUTE, content=content)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "request_invalid")


def test_a_stranger_and_a_foreign_page_are_refused(host: RunningHost) -> None:
    with host.client("wrong") as stranger, host.client() as client:
        refused = stranger.post(ROUTE, json=body())
        foreign = client.get("/v1/models", headers={"Host": "evil.example"})
        page = client.get("/v1/models", headers={"Origin": "http://evil.example"})
        unknown = client.get("/v1/other")

    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "token_wrong")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert (foreign.status_code, page.status_code) == (421, 403)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("refs", "names"),
    [
        (["/home/voices/anna/voice"], ["anna"]),
        (["/home/voices/anna/training/voice", "/home/voices/berta/voice"], ["anna", "berta"]),
        (["/v/anna/exports/step-000010", "/v/anna/exports/step-000020"], ["anna-step-000010", "anna-step-000020"]),
        (["someone/Voice-1.7B"], ["Voice-1.7B"]),
        (["/a/anna/voice", "/b/anna/voice"], ["/a/anna/voice", "/b/anna/voice"]),
        (["/models/birds"], ["birds"]),
    ],
)
def test_a_model_is_named_as_its_voice_is_called(refs: list[str], names: list[str]) -> None:
    assert make_names(refs) == names


def test_clients_that_leave_free_their_slots_and_a_full_queue_is_refused(host: RunningHost) -> None:
    endless = body(max_seconds=300, response_format="pcm")
    head = f"POST {ROUTE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {host.token}\r\n"
    content = httpx.Request("POST", "http://x", json=endless).content
    sent = head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content
    port = int(str(host.address["port"]))
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]

    with host.client() as client:

        def figure(name: str) -> int:
            lines = client.get("/metrics").text.splitlines()
            return int(next(line for line in lines if line.startswith(f"tts_train_{name}{{")).split()[-1])

        def has(n_takes: int) -> bool:
            return figure("takes_running") + figure("takes_waiting") == n_takes

        for number, connection in enumerate(connections):
            connection.sendall(sent)
            host.until(partial(has, number + 1))
        full = client.post(ROUTE, json=body())
        for connection in connections:
            connection.close()
        host.until(partial(has, 0))
        after = client.post(ROUTE, json=body())

    assert (full.status_code, full.json()["error"]["code"]) == (429, "queue_full")
    assert int(full.headers["retry-after"]) >= 1
    assert after.status_code == 200


def test_half_a_request_keeps_no_slot_and_others_are_served_beside_it(host: RunningHost) -> None:
    port = int(str(host.address["port"]))
    halves = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    for number, connection in enumerate(halves):
        head = f"POST {ROUTE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {host.token}\r\n"
        connection.sendall((head + "Content-Length: 100\r\n\r\n{")[: 20 + 5 * number].encode())

    with host.client() as client:
        answer = client.post(ROUTE, json=body())
        figures = client.get("/metrics").text
    for connection in halves:
        connection.close()

    assert answer.status_code == 200
    assert 'takes_running{model="birds"} 0' in figures
    assert 'takes_waiting{model="birds"} 0' in figures


def test_a_long_take_and_one_with_its_own_settings_are_spoken_beside_the_others(host: RunningHost) -> None:
    with host.client() as client:
        warm = client.post(ROUTE, json=body(response_format="pcm", temperature=0.5))
        other = client.post(ROUTE, json=body(response_format="pcm"))
        instructed = client.post(ROUTE, json=body(response_format="pcm", instructions="calmly"))

    assert {answer.status_code for answer in (warm, other, instructed)} == {200}
    assert len({warm.content, other.content, instructed.content}) == 3


def test_a_host_without_requests_unloads_and_then_ends(voice: Path, tmp_path: Path) -> None:
    params = {"voices": [str(voice)], "unload_after_min": 0.02, "end_after_hours": 5 / 3600}
    host = start_host(tmp_path / "home", Params.model_validate(params))
    with host.client() as client:
        host.until(lambda: client.get("/health").json()["status"] == "unloaded")
        answer = client.post(ROUTE, json=body())
    host.thread.join(60)

    (end,) = host.ends
    assert answer.status_code == 200
    assert isinstance(end, Result)
    assert (end.voices, end.n_takes) == (["nora", "otto"], 1)
    assert not (host.context.folder / SOCKET).exists()


def test_two_models_are_loaded_and_speak_beside_each_other(voice: Path, other_voice: Path, tmp_path: Path) -> None:
    host = start_host(tmp_path / "home", Params.model_validate({"voices": [str(voice), str(other_voice)]}))
    try:
        with host.client() as client, ThreadPoolExecutor() as pool:
            asked = [body(model=name, response_format="pcm") for name in ("birds", "beasts", "birds", "beasts")]
            answers = list(pool.map(lambda each: client.post(ROUTE, json=each), asked))
    finally:
        host.stop()

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


def test_a_second_attempt_has_the_port_and_token_of_the_first(voice: Path, tmp_path: Path) -> None:
    params = Params.model_validate({"voices": [str(voice)]})
    first = start_host(tmp_path / "home", params)
    known = (first.address, first.token)
    first.stop()

    second = start_host(tmp_path / "home", params)
    again = (second.address, second.token)
    second.stop()

    assert again == known
    assert [type(end) for end in (*first.ends, *second.ends)] == [Cancelled, Cancelled]
