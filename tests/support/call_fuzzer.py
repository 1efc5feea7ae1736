"""Random and mutated calls of every tool, by the same path as a call over MCP.

Calls are built from the listed schemas of the tools and then broken: wrong types, unknown and misspelt names, values
out of range, foreign paths, pipes, sockets, links, lone surrogates, deep and long nonsense. Checked: no crash, no
traceback, an answer in time, none over 8 KB (32 with detail) or with characters that a terminal obeys, the one form of
every error, and no change on the disk or in the store after an error.
"""

from __future__ import annotations

import json
import os
import socket
import time
import wave
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import mcp_types as types
from anyio.from_thread import BlockingPortal
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from jobs.param_types import find_mark
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.mcp.calls import as_result, call_tool
from tools.core.registry import Tool, all_tools
from tools.core.tool_types import ToolContext
from tools.docs.schema import in_brief, listed

LARGEST_ANSWER, LARGEST_DETAIL = 8 * 1024, 32 * 1024
LONGEST_CPU_S = 2.0  # of one call: on a busy machine the same work takes up to twice the processor time
LONGEST_WAIT_S = 30.0  # finds a call that waits without end
LONG = 200_000
PATHS = (
    "toy", "horus", "train_manifest.jsonl", "book.wav", "book.txt", "clips", "takes.jsonl", "pipe", "pipe.wav", "piped",
    "datasets/piped", "socket", "loop", "loop/x", "outside", "outside/passwd", "link.jsonl", "linked", ".", "/dev/zero",
)  # fmt: skip
ESCAPED_NAME = "x\x1b[2J\nnext: \u202e.jsonl"
WORDS = (
    "toy", "anna", "train_manifest.jsonl", "book.wav", "book.txt", "clips", "takes.jsonl", "horus", "list", "create",
    "align", "../x", "/etc/passwd", "~", "file:///etc/passwd", "artifact://a/b", "align-20260101-000000-abcd",
    "artifact://align-20260101-000000-abcd/../../x", "nul\0byte", "", " ", "1e999", "NaN", "{", "[", "null", "x" * 5000,
    "\ud800", "é" * 300, "0 3 * * *", "12h", "Europe/Berlin", "2026-13-45", "'; drop table jobs; --", "{voice}", "%s%n",
    "start_training lora", "pipe", "pipe.wav", "piped", "socket", "loop", "loop/x", "outside", "outside/passwd",
    "link.jsonl", "linked", ESCAPED_NAME, "/dev/zero", "/dev/stdin", "/proc/self/fd/0", "\udcff.wav", "a\ud800b",
    "\U000e0041", "\x1b]0;x\x07", "9" * 400, "[" * 3000, '{"a":' * 3000, "9999-12-31T23:59-23:59", "1e400",
    "a" * LONG, "a-" * (LONG // 2), " " * LONG, "(" * LONG, "\ud800" * LONG, "../" * (LONG // 3),
)  # fmt: skip


class NoAnswerError(BaseException):
    """A call that waits without end; hypothesis lets it through instead of repeating the call to shorten it."""


@dataclass
class World:
    """A home in which nothing can start, for there is no environment, and a folder with a person's files."""

    context: ToolContext
    work: Path
    portal: BlockingPortal
    codes: Counter[str] = field(default_factory=Counter)
    largest: int = 0

    @property
    def state(self) -> tuple[Any, ...]:
        """All that a call could change: files by size and time, jobs by state."""
        home = self.context.settings.home
        files = [
            (str(path), path.stat().st_size, path.stat().st_mtime_ns)
            for folder in (self.work, home)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
            and path.suffix not in (".db", ".db-wal", ".db-shm")
            and not path.name.startswith("jobs.db")
        ]
        return (*files, len(self.context.runner.list(limit=50)) if home.exists() else 0)

    def call(self, name: str, arguments: dict[str, Any]) -> None:
        """Make a call and check its answer.

        Raises:
            AssertionError: a promise is broken.
        """
        before, started = self.state, time.process_time()
        asked = self.portal.start_task_soon(call_tool, name, arguments, self.context)
        try:
            answer = asked.result(LONGEST_WAIT_S)
        except TimeoutError:
            raise NoAnswerError(f"{name} waits: {str(arguments)[:1000]}") from None
        took_s = time.process_time() - started
        assert took_s < LONGEST_CPU_S, f"{took_s:.1f} s"
        result = answer if isinstance(answer, types.CallToolResult) else as_result(answer)
        fields = result.model_dump(mode="json", by_alias=True).get("structuredContent") or {}
        answer_text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))  # as the wire has it
        self.largest = max(self.largest, len(answer_text))
        most = LARGEST_DETAIL if "detail" in arguments else LARGEST_ANSWER
        assert len(answer_text) <= most, f"{len(answer_text)} characters"
        assert "Traceback" not in answer_text
        answer_text.encode()
        spoken = "".join(block.text for block in result.content if isinstance(block, types.TextContent))
        assert not set("\x1b\x9b\r\u202e\x07") & set(spoken), "a character that a terminal obeys"
        if not result.is_error:
            self.codes["answered"] += 1
            return
        assert result.structured_content is not None
        error = result.structured_content["error"]
        assert set(error) <= {"code", "message", "hint"}
        assert error["code"] != "internal_error", error
        assert error["code"].isidentifier()
        assert error["message"]
        self.codes[error["code"]] += 1
        assert self.state == before, "a refused call changed something"


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, now and then of another type."""
    return st.one_of(_fitting(schema), _fitting(schema), st.sampled_from(WORDS), _anything())


def calls() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A tool's name and arguments."""
    return st.sampled_from(list(all_tools())).flatmap(_call_of)


def play(world: World, n_calls: int, seed_number: int) -> None:
    """Make so many calls. Raises whatever breaks a promise, with the shortest call that does."""

    @seed(seed_number)
    @settings(max_examples=n_calls, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=[Phase.generate, Phase.shrink])  # fmt: skip
    @given(calls())
    def one(call: tuple[str, dict[str, Any]]) -> None:
        world.call(*call)

    one()


def make_world(folder: Path, portal: BlockingPortal) -> World:
    """Files that some of the words name."""
    work = folder / "work"
    (work / "clips").mkdir(parents=True)
    line = {"audio": "clips/a.wav", "text": "A line.", "duration_s": 2.0}
    (work / "train_manifest.jsonl").write_text(json.dumps(line) + "\n")
    (work / "takes.jsonl").write_text(json.dumps(line) + "\n")
    (work / "book.txt").write_text("A line.")
    with wave.open(str(work / "book.wav"), "wb") as sound:
        sound.setparams((1, 2, 24_000, 48_000, "NONE", ""))
        sound.writeframes(bytes(96_000))
    _make_odd_files(work)
    home = folder / "home"
    here = Settings(home=home, envs=folder / "none", roots=(work, home), disk_reserve_bytes=1_000_000)
    return World(ToolContext(here, Runner(here)), work, portal)


def _make_odd_files(work: Path) -> None:
    """Pipes, a socket, links, and names that pretend to be something else."""
    for name in ("pipe", "pipe.wav", "datasets/piped/train_manifest.jsonl", "datasets/piped/takes.jsonl"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(work / name)
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(work, os.O_DIRECTORY)  # the path of a socket is at most 108 characters long
        try:
            listener.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
    for name, target in (
        ("loop", "loop"), ("outside", "/etc"), ("link.jsonl", "train_manifest.jsonl"), ("datasets/linked", ".."),
    ):  # fmt: skip
        (work / name).symlink_to(target)
    (work / ESCAPED_NAME).write_bytes((work / "takes.jsonl").read_bytes())


@cache  # making a strategy takes longer than a call
def _call_of(tool_name: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    tool = all_tools()[tool_name]
    schema = listed(tool)["inputSchema"]
    needed = {name: values(schema["properties"][name]) for name in schema.get("required", [])}
    known = {name: values(field) for name, field in schema["properties"].items() if name not in needed}
    rare = st.dictionaries(st.sampled_from([*in_brief(tool), "lr_"]), _anything(), max_size=4)
    if "more" in known:
        known["more"] = st.one_of(rare, _anything())
    whole = st.fixed_dictionaries(needed, optional=known)
    paths = [name for name, field in tool.args.model_fields.items() if find_mark(field) is not None]
    named = st.fixed_dictionaries(
        {name: st.sampled_from(PATHS) if name in paths else _fitting(schema["properties"][name]) for name in needed},
        optional={name: st.sampled_from(PATHS) for name in paths if name not in needed},
    )
    broken = st.one_of(
        whole,
        whole,
        named,
        named,
        st.tuples(whole, st.dictionaries(_names(tool), _anything(), max_size=3)).map(lambda pair: pair[0] | pair[1]),
        st.dictionaries(_names(tool), _anything(), max_size=6),
    )
    name = st.sampled_from([tool.name] * 30 + [tool.name[:-1], tool.name.upper(), "", "../" + tool.name, "a" * LONG])
    return st.tuples(name, broken.map(lambda given: _offline(tool, given)))


def _offline(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """Nothing leaves this machine, and no call waits."""
    if "offline" in tool.args.model_fields:
        arguments = arguments | {"offline": True}
    return {name: value for name, value in arguments.items() if name != "wait_s"}


def _names(tool: Tool) -> st.SearchStrategy[str]:
    known = list(tool.args.model_fields)
    return st.one_of(
        st.sampled_from(known),
        st.sampled_from(known).map(lambda name: name[1:] + name[:1]),
        st.sampled_from(known).map(str.upper),
        st.text(max_size=20),
        st.sampled_from(WORDS),
    )


@cache
def _anything() -> st.SearchStrategy[Any]:
    leaf = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=30),
        st.sampled_from(WORDS),
    )
    return st.recursive(
        leaf, lambda part: st.one_of(st.lists(part, max_size=4), st.dictionaries(st.text(max_size=8), part, max_size=4))
    )


def _fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "boolean":
            return st.sampled_from([True, False, "true", "no"])
        case "integer":
            low = schema.get("minimum", -1)
            return st.integers(low - 1, min(schema.get("maximum", 10**6), 10**6) + 1)
        case "number":
            return st.floats(-1, schema.get("maximum", 1e6) * 1.1)
        case "array":
            return st.lists(values(schema.get("items", {})), max_size=4)
        case "object":
            fields = {name: values(part) for name, part in schema.get("properties", {}).items()}
            return (
                st.fixed_dictionaries({}, optional=fields)
                if fields
                else st.dictionaries(st.text(max_size=8), _anything())
            )
        case _:
            return st.one_of(st.sampled_from(WORDS), st.text(max_size=40))
