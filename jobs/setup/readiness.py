"""Choice of the build of torch on this machine, and state of what would be installed."""

from jobs.environments.environment_state import Build, environment_state, installed_build, wanted_build
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.settings import Settings


def find_build(settings: Settings, name: str, gpus: Gpus | None = None) -> Build:
    """Return the build of torch that this machine's set-up takes."""
    return wanted_build(settings, name, has_gpu=bool((gpus or Gpus()).uuids))


def is_ready(settings: Settings, name: str, build: Build) -> bool:
    """Return whether nothing has to be installed."""
    return environment_state(settings, name) == "ready" and installed_build(settings, name)[0] == build
