"""Probe of what a dry run's parameters name: read in a child process of the ml environment, with limits."""

from typing import Any

from jobs.param_types import Strict
from jobs.runner.machine.bounded_child import run_bounded
from jobs.settings import PROJECT_ROOT, Settings

TIMEOUT_S, CPU_S = 60.0, 50
MEMORY_BYTES = 1 << 30  # three times what a text of 32 MB or an index of 70 hours takes


def probe_input(entry: str, params: Strict, settings: Settings, subject: str) -> dict[str, Any]:
    """Return the findings of a probe, or ``unknown``: why there are none.

    Args:
        entry: ``module:function`` of the parameters as JSON.
        params: of the dry run.
        settings: name the environment.
        subject: of the sentence where the environment does not work, such as "The book".

    Raises:
        UserError: those of the probe, ``file_too_large``.
    """
    try:
        found: dict[str, Any] = run_bounded(
            settings.python("ml"),
            entry,
            params.model_dump(mode="json"),
            memory_bytes=MEMORY_BYTES,
            cpu_s=CPU_S,
            timeout_s=TIMEOUT_S,
            environment=settings.to_environment(),
            folder=PROJECT_ROOT,
        )
    except (OSError, ValueError) as error:
        return {"unknown": f"{subject} could not be read: {error}. The ml environment may be broken."}
    return found
