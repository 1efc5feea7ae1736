"""OpenAI's own client speaks with a host; skipped where it is not installed."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.serve_voice.conftest import RunningHost

openai = pytest.importorskip("openai", reason="the openai client is not installed")
ASKED: dict[str, Any] = {"model": "birds", "voice": "nora", "input": "A thirsty crow found a pitcher."}
MORE = {"max_seconds": 0.4, "seed": 1}
EVENT = dict[str, Any]
"""The client has no class for events of speech."""


def make_client(host: RunningHost, token: str = "") -> Any:
    """The client as a user makes it, without its retries."""
    url = f"http://127.0.0.1:{host.address['port']}/v1"
    return openai.OpenAI(base_url=url, api_key=token or host.token, max_retries=0)


def test_it_speaks_into_a_file_and_in_parts(host: RunningHost, tmp_path: Path) -> None:
    client = make_client(host)

    whole = client.audio.speech.create(**ASKED, response_format="pcm", extra_body=MORE)
    with client.audio.speech.with_streaming_response.create(
        **ASKED, response_format="wav", extra_body=MORE
    ) as response:
        response.stream_to_file(tmp_path / "speech.wav")

    assert len(whole.content) == 5 * 1920 * 2
    assert (tmp_path / "speech.wav").read_bytes()[44:] == whole.content
    assert [model.id for model in client.models.list()] == ["birds"]


def test_it_reads_events_and_another_speed(host: RunningHost) -> None:
    client = make_client(host)

    with client.audio.speech.with_streaming_response.create(
        **ASKED, response_format="pcm", stream_format="sse", speed=0.5, extra_body=MORE
    ) as response:
        events = list(openai.Stream(cast_to=EVENT, response=response.http_response, client=client))
    slow = client.audio.speech.create(**ASKED, response_format="pcm", speed=0.5, extra_body=MORE)

    assert [event["type"] for event in events] == ["speech.audio.delta"] * (len(events) - 1) + ["speech.audio.done"]
    assert b"".join(base64.b64decode(event["audio"]) for event in events[:-1]) == slow.content
    assert len(slow.content) == pytest.approx(2 * 5 * 1920 * 2, rel=0.05)


def test_it_raises_its_own_errors(host: RunningHost) -> None:
    client = make_client(host)

    with pytest.raises(openai.NotFoundError, match="nora, otto"):
        client.audio.speech.create(**ASKED | {"voice": "alloy"})
    with pytest.raises(openai.BadRequestError, match="at most 2000"):
        client.audio.speech.create(**ASKED | {"input": "word " * 500})
    with pytest.raises(openai.AuthenticationError):
        make_client(host, "wrong").models.list()
