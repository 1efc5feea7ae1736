"""The process of ``run.sh setup``: its messages go to the job's log, and say how far it is."""

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

Phase = Literal["resolving", "downloading", "installing", "compiling"]

RESOLVED = re.compile(r"Resolved (\d+) packages?")
# What uv says when it is done with a phase, and the phase that follows.
FOLLOWING: tuple[tuple[str, Phase], ...] = (
    ("Resolved ", "downloading"),
    ("Prepared ", "installing"),
    ("Installed ", "compiling"),
)
LISTED = (" + ", " - ", " ~ ")  # one line a package
READ_BYTES = 65_536


class Installer:
    """A running installation.

    Attributes:
        phase: what it does now.
        n_packages: packages of the environment; 0: not known yet.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.phase: Phase = "resolving"
        self.n_packages = 0
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        self._rest = b""

    @property
    def returncode(self) -> int | None:
        """Exit code, when it has ended."""
        return self._process.returncode

    def looks(self, every_s: float) -> Iterator[None]:
        """Iterate until it has ended, with its messages read: about every so many seconds."""
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        while True:
            yield None
            ready, _, _ = select.select([output], [], [], every_s)
            if not ready:
                continue
            read = os.read(output, READ_BYTES)
            if not read:
                break
            self._take(read)
        self._take(b"\n" if self._rest else b"")
        self._process.wait()

    def stop(self) -> None:
        """End it; what it has downloaded is kept."""
        self._process.terminate()
        self._process.wait()

    def _take(self, read: bytes) -> None:
        *lines, self._rest = (self._rest + read).split(b"\n")
        for line in lines:
            self._follow(line.decode(errors="replace"))

    def _follow(self, line: str) -> None:
        if line.startswith(LISTED):
            return
        sys.stderr.write(f"{line}\n")
        if found := RESOLVED.match(line):
            self.n_packages = max(self.n_packages, int(found[1]))
        self.phase = next((phase for beginning, phase in FOLLOWING if line.startswith(beginning)), self.phase)
