"""Kinds of work for the runner's tests; the worker finds this module through PYTHONPATH."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from pydantic import Field

from jobs.errors import UserError
from jobs.param_types import OutputPath, Strict
from jobs.runner.job_kind import JobKind
from jobs.runner.machine.limits import Limits
from jobs.runner.worker.child_jobs import Children
from jobs.runner.worker.context import JobContext

WAIT_S = 0.01


class AddParams(Strict):
    """Numbers to add; ``journal`` gets a line per start, ``gate`` is a file to wait for."""

    numbers: list[float] = Field(default_factory=list)
    journal: OutputPath = ""
    gate: str = ""
    ignores_cancel: bool = False
    leaves_child: bool = False


class AddResult(Strict):
    """Their sum, and what the work saw of its surroundings."""

    total: float
    folder: str
    roots: list[str]


def add(params: AddParams, context: JobContext) -> AddResult:
    """Add up, with a progress line each; publish the sum."""
    _note(params.journal, f"start {os.getpid()}")
    if params.leaves_child:
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
        _note(params.journal, f"child {child.pid}")
    for done, number in enumerate(params.numbers, start=1):
        context.progress(done, len(params.numbers), "adding", number=number)
    while params.gate and not Path(params.gate).exists():
        if not params.ignores_cancel:
            context.raise_if_cancelled()
        time.sleep(WAIT_S)
    total = sum(params.numbers)
    report = context.folder / "out" / "sum.txt"
    report.parent.mkdir(exist_ok=True)
    report.write_text(f"{total}\n")
    context.publish("sum", report, "report")
    context.publish("out", report.parent, "other")
    _note(params.journal, f"end {os.getpid()}")
    roots = [str(root) for root in context.settings.roots]
    return AddResult(total=total, folder=str(context.folder), roots=roots)


def _note(journal: str, line: str) -> None:
    if journal:
        with Path(journal).open("a") as stream:
            stream.write(line + "\n")


class FailParams(Strict):
    """How to fail."""

    how: str


class Nothing(Strict):
    """No result."""


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def fail(params: FailParams, context: JobContext) -> Nothing:
    """Fail in the way asked for."""
    context.progress(1, 2, "about to fail")
    if params.how == "user_error":
        raise UserError("voice_silent", "The recording has no voice.", "Give another recording.")
    if params.how == "defect":
        raise KeyError("no such thing")
    if params.how == "cuda_oom":
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    if params.how == "disk_full":
        raise OSError(28, "No space left on device")
    if params.how == "silent_exit":
        os._exit(7)
    if params.how == "crash":
        os.abort()
    return Nothing()


def refuse(params: FailParams) -> None:
    """A check that refuses one value."""
    if params.how == "refused":
        raise UserError("how_refused", "Not this.", "Another.")


ADD = JobKind(name="add", params=AddParams, result=AddResult, entry="tiny_kinds:add", environment="ml")
ADD_ON_GPU = JobKind(
    name="add_on_gpu", params=AddParams, result=AddResult, entry="tiny_kinds:add", environment="ml", resource="gpu"
)
ADD_ONCE = JobKind(
    name="add_once", params=AddParams, result=AddResult, entry="tiny_kinds:add", environment="ml", max_tries=1
)
FAIL = JobKind(name="fail", params=FailParams, result=Nothing, entry="tiny_kinds:fail", environment="ml", check=refuse)
ELSEWHERE = JobKind(name="elsewhere", params=FailParams, result=Nothing, entry="tiny_kinds:fail", environment="server")


class TalkParams(Strict):
    """How much to say; ``gate`` is a file to wait for afterwards."""

    megabytes: int
    gate: OutputPath


def talk(params: TalkParams, context: JobContext) -> Nothing:
    """Fill the log."""
    sys.stderr.write("talk begins\n")
    for _ in range(params.megabytes * 1000):
        sys.stderr.write("blah " * 199 + "bla\n")
    sys.stderr.flush()
    Path(params.gate).with_name("said").touch()
    while not Path(params.gate).exists():
        time.sleep(WAIT_S)
    sys.stderr.write("talk ends\n")
    return Nothing()


TALK = JobKind(name="talk", params=TalkParams, result=Nothing, entry="tiny_kinds:talk", environment="ml")


class HoardParams(Strict):
    """How much memory to take."""

    megabytes: int


def hoard(params: HoardParams, context: JobContext) -> AddResult:
    """Take memory and use it, a megabyte at a time."""
    taken = []
    for number in range(params.megabytes):
        taken.append(bytearray(os.urandom(1 << 20)))
        context.progress(number + 1, params.megabytes, "hoarding")
    return AddResult(total=float(len(taken)), folder=str(context.folder), roots=[])


HOARD = JobKind(name="hoard", params=HoardParams, result=AddResult, entry="tiny_kinds:hoard")


class DirectParams(Strict):
    """How many children to start; the rest is theirs."""

    n_children: int
    seed: int = 0
    gate: str = ""
    journal: OutputPath = ""


def direct(params: DirectParams, context: JobContext) -> AddResult:
    """Let children add numbers, and add up their sums."""
    children = Children(context)
    started = [
        children.start(
            str(number), ADD, AddParams(numbers=[number + params.seed], gate=params.gate, journal=params.journal)
        )
        for number in range(params.n_children)
    ]
    ended = children.wait([child.job_id for child in started])
    total = sum(child.result["total"] for child in ended if child.result)
    return AddResult(total=total, folder=str(context.folder), roots=[])


DIRECT = JobKind(name="direct", params=DirectParams, result=AddResult, entry="tiny_kinds:direct", resource="director")


class ScribbleParams(Strict):
    """Files to write."""

    targets: list[str]
    out_dir: OutputPath = ""
    gives_up: bool = False


class Scribbled(Strict):
    """Files that could not be written, and what the work saw of its process."""

    denied: list[str]
    child_denied: bool
    n_threads: int
    temporary: str


def scribble(params: ScribbleParams, context: JobContext) -> Scribbled:
    """Write a line to each file, and one to the last file from a child process."""
    n_threads = len(list(Path("/proc/self/task").iterdir()))
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("named")  # as CUDA does
    denied = []
    for target in params.targets:
        try:
            Path(target).write_text("written\n")
        except OSError:
            if params.gives_up:
                raise
            denied.append(target)
    child = subprocess.run(["/bin/sh", "-c", 'echo child > "$1"', "sh", params.targets[-1]], check=False)
    with tempfile.NamedTemporaryFile() as temporary:
        name = temporary.name
    return Scribbled(denied=denied, child_denied=child.returncode != 0, n_threads=n_threads, temporary=name)


SCRIBBLE = JobKind(name="scribble", params=ScribbleParams, result=Scribbled, entry="tiny_kinds:scribble")


class SpinParams(Strict):
    """Nothing to choose."""


def spin(params: SpinParams, context: JobContext) -> Nothing:
    """Use CPU time without end."""
    while True:
        pass


SPIN = JobKind(
    name="spin", params=SpinParams, result=Nothing, entry="tiny_kinds:spin", limits=lambda _: Limits(4000, 1, 100)
)


class LeaveParams(Strict):
    """A folder to write, and how the work ends; ``seed`` tells jobs apart."""

    out_dir: OutputPath
    how: str = "well"
    seed: int = 0


def leave(params: LeaveParams, context: JobContext) -> Nothing:
    """Write a folder, then end well, fail, crash, or wait to be cancelled; ``unmarked``: no mark can be written."""
    made = Path(params.out_dir, "made")
    made.mkdir(parents=True, exist_ok=True)
    (made / "part").write_text(f"{params.seed}\n")
    if params.how == "unmarked":
        marks = made.with_name(".tts-train")
        marks.rename(made.with_name("former marks"))
        marks.write_text("in the way")
    if params.how == "crashed":
        os.abort()
    while params.how == "cancelled":
        context.progress(1, 2, "waiting")
        context.raise_if_cancelled()
        time.sleep(WAIT_S)
    if params.how == "failed":
        raise UserError("voice_silent", "The recording has no voice.", "Give another recording.")
    return Nothing()


LEAVE = JobKind(
    name="leave", params=LeaveParams, result=Nothing, entry="tiny_kinds:leave", makes={"out_dir": ("made",)}
)


class CountParams(Strict):
    """How far to count; while the file ``stop`` is there it goes no further than 3."""

    n: int
    stop: str = ""
    out_dir: OutputPath = ""


class Counted(Strict):
    """The first number of this job, and the last."""

    first: int
    last: int


def count(params: CountParams, context: JobContext) -> Counted:
    """Count in a folder, from what is there; at ``stop`` wait, or fail where it says so."""
    kept = (Path(params.out_dir) if params.out_dir else context.folder / "out") / "count"
    kept.parent.mkdir(exist_ok=True)
    first = last = int(kept.read_text()) if kept.exists() else 0
    while last < params.n:
        context.raise_if_cancelled()
        if last == 3 and Path(params.stop).exists():
            if Path(params.stop).read_text() == "fail":
                raise UserError("voice_silent", "The recording has no voice.", "Give another recording.")
            time.sleep(WAIT_S)
            continue
        last += 1
        kept.write_text(f"{last}")
    return Counted(first=first, last=last)


COUNT = JobKind(
    name="count", params=CountParams, result=Counted, entry="tiny_kinds:count", makes={"out_dir": ("count",)}
)
