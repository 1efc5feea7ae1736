"""Child process with limits of memory and time, for reading files that anybody may have made.

The child, which can write nothing but caches (``jobs.runner.machine.sandbox``), imports a function by name, calls it
with one JSON value and answers with JSON. Its start is that of the interpreter; the limits cost nothing. stdlib only.
"""

import importlib
import json
import math
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.runner.machine.limits import is_out_of_memory, lower

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # each thread reserves memory that is never used


def run_bounded(
    python: Path,
    entry: str,
    argument: object,
    *,
    memory_bytes: int,
    cpu_s: int,
    timeout_s: float,
    environment: Mapping[str, str],
    folder: Path,
) -> Any:
    """Call ``entry`` (``module:function``) in a child process and return its result.

    Args:
        python: interpreter of the child.
        entry: function of one JSON value that returns a JSON value.
        argument: that value.
        memory_bytes: address space beyond what the imports take.
        cpu_s: processor time.
        timeout_s: time in all.
        environment: environment variables of the child.
        folder: working directory of the child, from which modules are imported.

    Raises:
        UserError: that of the function, or ``file_too_large``: it met a limit.
        OSError: the interpreter cannot be started.
        ValueError: the child ended without an answer.
    """
    request = {"entry": entry, "argument": argument, "memory_bytes": memory_bytes, "cpu_s": cpu_s}
    try:
        done = subprocess.run(
            [str(python), "-m", "jobs.runner.machine.sandbox", "jobs.runner.machine.bounded_child"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            env={**environment, **ONE_THREAD},
            cwd=folder,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_much(f"took more than {timeout_s:g} s") from error
    if done.returncode < 0:  # SIGXCPU, or SIGKILL by the kernel's memory guard
        raise _too_much(f"was ended after {cpu_s} s of processor time, or for its memory (signal {-done.returncode})")
    answer = json.loads(done.stdout)
    if "code" in answer:
        raise UserError(answer["code"], answer["message"], answer["hint"])
    return answer["result"]


def _too_much(what: str) -> UserError:
    return UserError(
        "file_too_large",
        f"Reading the given files {what}: they are broken, or made to use up this machine.",
        "Check the files; give one at a time to find which it is.",
    )


def _as_answer(error: UserError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def limit_this_process(memory_bytes: int, cpu_s: int) -> None:
    """Limit the address space to what is used now and ``memory_bytes`` more, and the processor time.

    A limit that is lower already stays.
    """
    lower(resource.RLIMIT_CPU, cpu_s, 1)
    used = _address_space_bytes()
    if used is not None:
        lower(resource.RLIMIT_AS, used + memory_bytes)


def _address_space_bytes() -> int | None:
    """Return the size of this process's address space; None where the kernel does not say (macOS)."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return None


def main() -> None:
    """Answer one request on standard input."""
    request = json.load(sys.stdin)
    module, _, name = request["entry"].partition(":")
    call: Callable[[object], object] = getattr(importlib.import_module(module), name)
    limit_this_process(request["memory_bytes"], math.ceil(request["cpu_s"]))
    try:
        answer = {"result": call(request["argument"])}
    except UserError as error:
        answer = _as_answer(error)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        answer = _as_answer(_too_much(f"took more than {request['memory_bytes'] >> 20} MB"))
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
