"""Commands of an installed program that ``run.sh`` runs by itself in a checkout."""

from collections.abc import Sequence

from jobs.environments import doctor
from jobs.settings import Settings
from server.demo import __main__ as demo


def doctor_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Print what is installed and what is missing; end with its exit code."""
    raise SystemExit(doctor.main(list(words)))


def demo_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Run the demo; end with its exit code."""
    raise SystemExit(demo.main(list(words)))
