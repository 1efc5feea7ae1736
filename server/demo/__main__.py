"""Entry point of the demo: ``python -m server.demo [--json]``. Exit code 0 on success, 1 if a step failed."""

import argparse
import sys
import time

import anyio

from jobs.config import read_settings
from jobs.errors import UserError
from jobs.settings import Settings
from server.demo.client import connect
from server.demo.report import ProgressLine, as_json, as_text, is_good
from server.demo.steps import DemoRun, StepFailed, demo_folder


async def run_demo(settings: Settings, *, as_object: bool) -> int:
    """Run the steps and print the report."""
    line = ProgressLine(sys.stderr)
    began = time.monotonic()
    async with connect(settings, line.show) as agent:
        demo = DemoRun(agent, demo_folder(settings))
        try:
            await demo.run()
        except StepFailed:
            pass
        except UserError as error:
            demo.steps[-1].state = "refused"
            demo.steps[-1].error = {"code": error.code, "message": error.message, "hint": error.hint}
    total_s = time.monotonic() - began
    sys.stdout.write(as_json(demo.steps, total_s) + "\n" if as_object else as_text(demo.steps, total_s))
    return 0 if is_good(demo.steps) else 1


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments and run the demo."""
    parser = argparse.ArgumentParser(
        prog="run.sh demo",
        description="The whole job on the embedded sample, through the MCP server: ingest, align, convert, train, "
        "synthesize, rate, research. No GPU, no downloaded weights; at most five minutes on two cores.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, progress on stderr")
    options = parser.parse_args(arguments)
    return anyio.run(lambda: run_demo(read_settings(), as_object=options.json))


if __name__ == "__main__":
    sys.exit(main())
