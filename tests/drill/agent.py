"""An agent without a mind: it does what answers say, and pays for every word it sends and reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp import Client

from tests.support.next_calls import calls_in

CHARACTERS_PER_TOKEN = 4
MOST_POLLS = 30
Answer = dict[str, Any]


@dataclass
class Agent:
    """A client with a purse.

    Attributes:
        client: the connection.
        known: the tools' names with their parameters, as the server lists them.
        n_calls: calls so far.
        n_characters: of all arguments and answers so far.
    """

    client: Client
    known: dict[str, set[str]] = field(default_factory=dict)
    n_calls: int = 0
    n_characters: int = 0

    async def look_around(self) -> None:
        """Learn the tools."""
        for tool in (await self.client.list_tools()).tools:
            self.known[tool.name] = set(tool.input_schema["properties"])

    async def call(self, tool: str, /, **arguments: Any) -> Answer:
        """Call a tool; what the model would see of the answer: the structured part, else the text."""
        result = await self.client.call_tool(tool, arguments)
        answer = result.structured_content
        if answer is None:
            texts = [block.text for block in result.content if block.type == "text"]
            answer = json.loads(texts[0]) | {"images": sum(block.type == "image" for block in result.content)}
        assert "Traceback" not in json.dumps(answer)
        assert ("error" in answer and "code" in answer["error"]) or not result.is_error
        self.n_calls += 1
        self.n_characters += len(json.dumps(arguments)) + len(json.dumps(answer, ensure_ascii=False))
        return dict(answer)

    async def follow(self, answer: Answer, **wishes: Any) -> Answer:
        """Make the call that an answer names, with what the person wishes besides."""
        tool, arguments = self.next_call(answer)
        return await self.call(tool, **(arguments | wishes))

    async def poll(self, answer: Answer) -> Answer:
        """Wait as ``next`` says until ``poll_after_s`` is null."""
        for _ in range(MOST_POLLS):
            job = answer.get("job") or answer
            if job["poll_after_s"] is None:
                return dict(job)
            answer = await self.follow(job)
        raise AssertionError("it never ends")

    def next_call(self, answer: Mapping[str, Any]) -> tuple[str, Answer]:
        """The first call with arguments in ``next``, or in an error's hint."""
        text = answer["next"] if "next" in answer else answer["error"]["hint"]
        for call in calls_in(text, list(self.known)):
            return call
        raise AssertionError(f"no call is named: {text}")

    def suggestion(self, answer: Answer) -> str:
        """Return the name that an error suggests instead of a wrong one."""
        found = re.search(r"[Dd]id you mean '([^']+)'", answer["error"]["message"])
        assert found is not None, answer
        return found[1]

    @contextmanager
    def within(self, *, calls: int, tokens: int) -> Iterator[None]:
        """The person's patience."""
        before = (self.n_calls, self.n_characters)
        yield
        used = self.n_calls - before[0], (self.n_characters - before[1]) / CHARACTERS_PER_TOKEN
        assert used[0] <= calls, f"{used[0]} calls"
        assert used[1] <= tokens, f"{used[1]:.0f} tokens"
