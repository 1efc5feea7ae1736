"""Random and mutated calls of every tool: ``./run.sh bench fuzz [--calls 10000] [--seed N]``.

Prints how many calls were answered with each code, and the first call that broke a promise, if one did.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from tests.support.call_fuzzer import NoAnswerError, make_world, play


def main(argv: Sequence[str] | None = None) -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench fuzz", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, start_blocking_portal() as portal:
        world = make_world(Path(folder), portal)
        try:
            play(world, options.calls, options.seed)
        except (AssertionError, NoAnswerError) as error:
            call = "\n".join(getattr(error, "__notes__", []))
            sys.stdout.write(f"broken: {error}\n{call[:2000]}\n")
            return 1
    rows = "".join(f"  {code:24}{count:7}\n" for code, count in world.codes.most_common())
    took_s = time.monotonic() - started
    summary = f"{sum(world.codes.values())} calls in {took_s:.0f} s, no promise broken"
    sys.stdout.write(f"{summary}; largest answer {world.largest} characters\n{rows}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
