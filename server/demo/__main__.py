"""Entry of the demo: ``python -m server.demo [--json]``. Exit code 0 when it worked, 1 when a step failed."""

from __future__ import annotations

import argparse
import sys
import time

import anyio

from jobs.errors import UserError
from jobs.settings import Settings
from server.demo.client import connect
from server.demo.report import ProgressLine, as_json, as_text, is_good
from server.demo.steps import StepFailed, Story, demo_folder


async def play(settings: Settings, *, machine: bool) -> int:
    """Run the steps and print the report."""
    line = ProgressLine(sys.stderr)
    began = time.monotonic()
    async with connect(settings, line.show) as agent:
        story = Story(agent, demo_folder(settings))
        try:
            await story.tell()
        except StepFailed:
            pass
        except UserError as error:
            story.steps[-1].state = "refused"
            story.steps[-1].error = {"code": error.code, "message": error.message, "hint": error.hint}
    total_s = time.monotonic() - began
    sys.stdout.write(as_json(story.steps, total_s) + "\n" if machine else as_text(story.steps, total_s))
    return 0 if is_good(story.steps) else 1


def main() -> int:
    """Read the arguments and play."""
    parser = argparse.ArgumentParser(
        prog="run.sh demo",
        description="The whole job on the embedded sample, through the MCP server: ingest, align, convert, train, "
        "synthesize, rate, research. No GPU, no downloaded weights; at most five minutes on two cores.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, progress on stderr")
    options = parser.parse_args()
    return anyio.run(lambda: play(Settings.from_environment(), machine=options.json))


if __name__ == "__main__":
    sys.exit(main())
