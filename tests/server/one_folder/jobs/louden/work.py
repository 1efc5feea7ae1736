"""The work of ``louden``: writes the manifest with the gain in each line."""

from __future__ import annotations

import json
from pathlib import Path

from jobs.louden.params import Params, Result
from jobs.runner.worker.context import JobContext


def run(params: Params, context: JobContext) -> Result:
    """Write the manifest."""
    lines = Path(params.manifest).read_text().splitlines()
    louder = [json.dumps(json.loads(line) | {"gain_db": params.gain_db}) + "\n" for line in lines]
    Path(params.out).write_text("".join(louder))
    context.progress(len(lines), len(lines), "louder")
    return Result(manifest=params.out, n_clips=len(lines))
