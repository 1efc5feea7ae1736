"""Messages that cannot be read: each gets an answer, and the calls after it too."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from pydantic import ValidationError

from server.mcp.unreadable import refuse

if TYPE_CHECKING:
    from conftest import App

DEEP = "[" * 3000 + "]" * 3000


def call(identity: object, arguments: str) -> str:
    """A call of a tool as one line, with arguments as JSON text."""
    head = f'{{"jsonrpc":"2.0","id":{json.dumps(identity)},"method":"tools/call",'
    return head + f'"params":{{"name":"list_jobs","arguments":{arguments}}}}}'


def refused(line: str) -> types.JSONRPCError | None:
    """The answer to a line that the SDK cannot read."""
    with pytest.raises(ValidationError) as error:
        types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    return refuse(error.value)


def test_the_server_answers_what_it_cannot_read_and_goes_on(app: App) -> None:
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}),
        '{"jsonrpc":"2.0","method":"notifications/initialized"}',
        call(2, '{"kind":"\\ud800"}'),
        call("three", f'{{"kind":{DEEP}}}'),
        "no JSON at all",
        call(5, '{"limit":1}'),
    ]

    with subprocess.Popen(
        app.command("mcp"), env=app.env | {"PATH": ""}, cwd=app.cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join(lines) + "\n")
        process.stdin.flush()
        answers: dict[Any, Any] = {}
        while 5 not in answers:
            answer = json.loads(process.stdout.readline())
            answers[answer.get("id")] = answer
        process.stdin.close()

    assert answers[2]["error"]["code"] == types.PARSE_ERROR
    assert answers["three"]["error"]["code"] == types.PARSE_ERROR
    assert answers[None]["error"]["code"] == types.PARSE_ERROR
    assert answers[5]["result"]["structuredContent"]["jobs"] == []


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        (call(7, f'{{"kind":{DEEP}}}'), 7),
        (f'{{"method":"x","params":{{"id":1,"a":{DEEP}}},"jsonrpc":"2.0","id":"mine"}}', "mine"),
        (f'{{"method":"x","params":{{"a":{DEEP},"id":1}}}}', None),
        (f'{{"method":"x","params":{{"b":{{"id":1}},"a":{DEEP}}},"jsonrpc":"2.0"}}', None),
        ('{"jsonrpc":"2.0","id":"\\udcff","method":"x"}', None),
        ("[1, 2", None),
    ],
)
def test_the_id_is_that_of_the_message_or_none(line: str, identity: object) -> None:
    answer = refused(line)

    assert answer is not None
    assert answer.id == identity
    answer.model_dump_json()


def test_an_empty_line_needs_no_answer() -> None:
    assert refused("\n") is None


def test_json_that_is_no_message_is_an_invalid_request() -> None:
    answer = refused('{"id": 3}')

    assert answer is not None
    assert answer.error.code == types.INVALID_REQUEST
