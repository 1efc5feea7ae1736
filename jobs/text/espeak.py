"""IPA of a text by espeak-ng's library. Library and voices come in a wheel; no ``espeak-ng`` binary is needed.

The library is held by a process of its own: words that no language has can end it, and cost nothing but their sounds.
"""

import functools
import json
import subprocess
import sys
from pathlib import Path

from jobs.text.espeak_input import speakable

_PROGRAM = Path(__file__).with_name("espeak_process.py")
_N_STARTS = 2


class Espeak:
    """The process, started at the first text and after each of its ends. It ends with this one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ipa(self, text: str, voice: str) -> str:
        """Return the IPA of a text, its clauses joined; empty where the library cannot say it.

        Symbols are not spoken, and long words are cut.

        Raises:
            RuntimeError: the package is damaged.
        """
        given = json.dumps([speakable(text), voice])
        for _ in range(_N_STARTS):  # the library may have been damaged by a text before this one
            try:
                return self._ask(given)
            except (OSError, ValueError):
                self._end()
        return self._without_sounds()

    def _ask(self, given: str) -> str:
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(given + "\n")
        process.stdin.flush()
        return str(json.loads(process.stdout.readline()))

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _without_sounds(self) -> str:
        """Return nothing for a text that has ended the process, if another text does not end it."""
        try:
            self._ask(json.dumps(["a", "en-us"]))
        except (OSError, ValueError) as error:
            raise RuntimeError("the espeakng-loader package is damaged: its library does not start") from error
        return ""


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )


@functools.cache
def espeak() -> Espeak:
    """Return the one of this process."""
    return Espeak()
