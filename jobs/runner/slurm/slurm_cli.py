"""Slurm's own commands, each bounded in time. stdlib only.

A missing ``slurmctld`` and a command that hangs both count as no answer. After one, no command is run for a while, so
that the supervisor's loop is not held up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO

TIMEOUT_S = 5.0
SILENCE_S = 15.0
# The exit status is part of the output: the supervisor reaps all its children and may be faster than we are.
STATUS = "\nexit status "
_SHELL = f'"$@"; printf \'{STATUS.encode("unicode_escape").decode()}%d\' "$?"'
NO_ANSWER = (
    "Unable to contact slurm controller",
    "Socket timed out",
    "Connection refused",
    "Communication connection failure",
    "Zero Bytes were transmitted",
    "Slurm backup controller in standby mode",
    "authentication credential",  # munge is down
)


class NoAnswerError(OSError):
    """Slurm does not answer: nothing is known, nothing may be concluded."""


class RefusedError(Exception):
    """Slurm answered with an error; its text."""


class SlurmCli:
    """Runs commands in the environment given, e.g. with ``SLURM_CONF``."""

    def __init__(self, environment: dict[str, str], *, timeout_s: float = TIMEOUT_S, silence_s: float = SILENCE_S):
        # Times as Unix seconds; formats that the user has set for the eye would not be understood.
        environment = {name: value for name, value in environment.items() if not name.startswith("SQUEUE_")}
        self._environment = environment | {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C"}
        self._timeout_s = timeout_s
        self._silence_s = silence_s
        self._silent_until = 0.0

    def run(self, *command: str) -> str:
        """Output of a command. Raises ``NoAnswerError`` or ``RefusedError``; takes at most ``timeout_s``."""
        call = self.begin(*command)
        while (output := call.poll()) is None:
            call.wait(0.01)
        return output

    def begin(self, *command: str) -> SlurmCall:
        """Start a command and return at once."""
        if time.monotonic() < self._silent_until:
            raise NoAnswerError(f"{command[0]}: Slurm did not answer a moment ago")
        return SlurmCall(command, self._environment, self._timeout_s, self._be_silent)

    def _be_silent(self) -> None:
        self._silent_until = time.monotonic() + self._silence_s


class SlurmCall:
    """Running command."""

    def __init__(
        self, command: Sequence[str], environment: dict[str, str], timeout_s: float, on_silence: Callable[[], None]
    ) -> None:
        self._name = command[0]
        self._on_silence = on_silence
        self._deadline = time.monotonic() + timeout_s
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (read when the command has ended)
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _SHELL, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except BaseException:
            self._output.close()
            raise

    def poll(self) -> str | None:
        """The output, or None while it runs. Raises ``NoAnswerError`` or ``RefusedError``."""
        ended = self._process.poll() is not None
        if not ended and time.monotonic() < self._deadline:
            return None
        if not ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._output.seek(0)
        text, _, status = self._output.read().decode("utf-8", "replace").rpartition(STATUS)
        self._output.close()
        if not status.isdigit():
            self._on_silence()
            raise NoAnswerError(f"{self._name} did not answer in time")
        if status == "0":
            return text
        if any(sign in text for sign in NO_ANSWER):
            self._on_silence()
            raise NoAnswerError(text.strip())
        raise RefusedError(text.strip())

    def wait(self, timeout_s: float) -> None:
        """Let the command go on for a moment."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
