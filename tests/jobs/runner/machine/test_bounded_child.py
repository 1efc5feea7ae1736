"""A child process that answers, refuses, or meets a limit."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.runner.machine.bounded_child import limit_this_process, run_bounded
from jobs.settings import PROJECT_ROOT


def answer(argument: list[int]) -> int:
    """Return the sum."""
    return sum(argument)


def refuse(argument: str) -> None:
    """Raise an error of ours."""
    raise UserError("text_empty", argument, "what to do")


def fill_memory(argument: int) -> int:
    """Take so many bytes."""
    return len(bytearray(argument))


def run_on(argument: None) -> None:
    """Never end."""
    while True:
        pass


def limits_within(argument: None) -> list[int]:
    """Return the limits of CPU time and address space after an attempt to raise them."""
    limit_this_process(1 << 60, 100)
    return [*resource.getrlimit(resource.RLIMIT_CPU), *resource.getrlimit(resource.RLIMIT_AS)]


def fail_as_torch(argument: None) -> None:
    """Fail as torch does without memory."""
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")


def call(entry: str, argument: object) -> Any:
    return run_bounded(
        Path(sys.executable),
        f"{__name__}:{entry}",
        argument,
        memory_bytes=100_000_000,
        cpu_s=1,
        timeout_s=60,
        environment=dict(os.environ),
        folder=PROJECT_ROOT,
    )


def test_a_child_returns_its_answer_or_its_refusal() -> None:
    assert call("answer", [1, 2, 3]) == 6
    assert call("fill_memory", 50_000_000) == 50_000_000
    with pytest.raises(UserError) as caught:
        call("refuse", "why")
    assert (caught.value.code, caught.value.message, caught.value.hint) == ("text_empty", "why", "what to do")


@pytest.mark.parametrize(
    ("entry", "argument"), [("fill_memory", 200_000_000), ("fail_as_torch", None), ("run_on", None)]
)
def test_a_child_that_takes_too_much_is_ended(entry: str, argument: object) -> None:
    with pytest.raises(UserError) as caught:
        call(entry, argument)

    assert caught.value.code == "file_too_large"


def test_a_lower_limit_is_never_raised() -> None:
    soft, hard, memory, most_memory = call("limits_within", None)

    assert (soft, hard) == (1, 2)  # what the child was given
    assert 100_000_000 < memory == most_memory < 1 << 40
