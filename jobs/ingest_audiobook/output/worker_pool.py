"""Units made by several processes at once; what comes of them does not depend on how many.

A lane is what one process does without a break: one unit where the recording can be entered at any place, else all
units of a file. A hand is a child process that is given lanes over its standard input and tells of them over its
standard output, a JSON object a line; it ends when its parent does, however that ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from jobs.errors import UserError
from jobs.ingest_audiobook.input.source_files import Book, open_book, selected_units
from jobs.ingest_audiobook.input.work_units import Unit
from jobs.ingest_audiobook.output.malloc import return_large_blocks
from jobs.ingest_audiobook.output.unit_builder import Event, Heard, Made, make_units
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.text_sources import Transcript, make_transcript
from jobs.settings import PROJECT_ROOT

logger = logging.getLogger(__name__)

Lane = list[Unit]
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def lanes(units: Sequence[Unit], book: Book) -> list[Lane]:
    """Divide units that are not made yet into what one process does without a break, in order."""
    found: list[Lane] = []
    for number, group in itertools.groupby(units, key=lambda unit: unit.recording):
        if book.recordings[number].info.has_exact_seek:
            found += [[unit] for unit in group]
        else:
            found.append(list(group))
    return found


def made_here(
    wanted: Sequence[Lane],
    book: Book,
    params: Params,
    transcript: Transcript,
    staged: Path,
    skip: Callable[[Unit], bool],
) -> Iterator[Event]:
    """Make the units in this process; those that ``skip`` names by then are left out."""
    for lane in wanted:
        units = [unit for unit in lane if not skip(unit)]
        if units:
            for event in make_units(units, book, params, transcript, staged):
                yield event
                if isinstance(event, Made) and all(skip(unit) for unit in units if unit.index > event.unit):
                    break


def made_by_hands(
    wanted: Sequence[Lane], params: Params, staged: Path, n_hands: int, skip: Callable[[Unit], bool]
) -> Iterator[Event]:
    """Make the units in ``n_hands`` processes; events come as they happen.

    Raises:
        UserError: what a hand met. RuntimeError: a hand is gone.
    """
    waiting = iter(wanted)
    hands = [_Hand(params, staged) for _ in range(n_hands)]
    try:
        with selectors.DefaultSelector() as selector:
            for hand in hands:
                selector.register(hand.out, selectors.EVENT_READ, hand)
            n_busy = len(hands)
            while n_busy:
                for key, _ in selector.select():
                    for told in key.data.told():
                        if told["kind"] == "heard":
                            yield Heard(told["unit"], told["heard_s"])
                        elif told["kind"] == "made":
                            yield Made(told["unit"])
                        elif told["kind"] == "failed":
                            raise _error(told)
                        elif not key.data.give(waiting, skip):
                            n_busy -= 1
                            selector.unregister(key.data.out)
    finally:
        for hand in hands:
            hand.end()


class _Hand:
    """The parent's side of a child process."""

    def __init__(self, params: Params, staged: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jobs.ingest_audiobook.output.worker_pool"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT_ROOT,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self.out = self._process.stdin, self._process.stdout
        self._rest = b""
        self._say({"params": params.model_dump(), "staged": str(staged.resolve())})

    def told(self) -> Iterator[dict[str, Any]]:
        """What the child says that can be read without waiting."""
        content = os.read(self.out.fileno(), 1 << 16)
        if not content:
            code = self._process.wait()
            raise RuntimeError(f"a process that ingests ended with {code}; the log above may say why")
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def give(self, waiting: Iterator[Lane], skip: Callable[[Unit], bool]) -> bool:
        """Hand over the next lane that has something left; False when there is none."""
        for lane in waiting:
            units = [unit.index for unit in lane if not skip(unit)]
            if units:
                self._say({"units": units})
                return True
        return False

    def _say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # reading will tell that it is gone
            self._in.write(json.dumps(message).encode() + b"\n")
            self._in.flush()

    def end(self) -> None:
        """End the child, whatever it does; what it was making is made again."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._in.close()
        self.out.close()


def _error(told: dict[str, Any]) -> Exception:
    if told["code"]:
        return UserError(told["code"], told["message"], told["hint"])
    if told["errno"]:
        return OSError(told["errno"], told["message"])
    return RuntimeError(told["message"])


def _serve(orders: IO[str], answers: IO[str]) -> None:
    """The child's side: take lanes until there are no more."""

    def tell(kind: str, **more: object) -> None:
        answers.write(json.dumps({"kind": kind, **more}) + "\n")
        answers.flush()

    try:
        first = json.loads(orders.readline())
        params, staged = Params.model_validate(first["params"]), Path(first["staged"])
        book = open_book(Path(params.audio))
        units = selected_units(book, params)
        transcript = make_transcript(params, book)
        tell("idle")
        for line in orders:
            lane = [units[index] for index in json.loads(line)["units"]]
            for event in make_units(lane, book, params, transcript, staged):
                if isinstance(event, Heard):
                    tell("heard", unit=event.unit, heard_s=event.heard_s)
                else:
                    tell("made", unit=event.unit)
            tell("idle")
    except UserError as error:
        tell("failed", code=error.code, message=error.message, hint=error.hint, errno=None)
    except Exception as error:
        logger.exception("a process that ingests failed")
        number = error.errno if isinstance(error, OSError) else None
        full = number == errno.ENOSPC
        message = error.strerror if full and isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        tell("failed", code="", message=message, hint="", errno=number)


def _end_with_parent() -> None:
    """Die when the parent dies, at once and whatever the main thread does (Linux); elsewhere its pipe tells."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> None:
    """Entry of ``python -m jobs.ingest_audiobook.output.worker_pool``."""
    parent = os.getppid()
    _end_with_parent()
    if os.getppid() != parent:  # it died before
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return_large_blocks()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    reader, writer = os.pipe()
    threading.Thread(target=_forward, args=(writer,), daemon=True).start()
    with os.fdopen(reader, encoding="utf-8") as orders:
        _serve(orders, answers)


def _forward(writer: int) -> None:
    """Pass the parent's orders on; when they end the parent is gone, or wants us gone."""
    while content := os.read(0, 1 << 16):
        os.write(writer, content)
    os._exit(0)


if __name__ == "__main__":
    main()
