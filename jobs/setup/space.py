"""Space that the set-up of an environment needs, checked before anything is downloaded."""

import contextlib

from jobs.environments.environment_state import Build, environment_cost_mb
from jobs.errors import UserError
from jobs.runner.machine.preflight import UNFINISHED, free_bytes, nearest_existing
from jobs.settings import Settings
from jobs.setup.cache_growth import CacheGrowth, measure_bytes


def check_space(settings: Settings, name: str, build: Build = "cuda") -> None:
    """Check that an environment fits on the disk, and its packages on the disk of uv's cache where that is another.

    What an interrupted set-up has done counts.

    Raises:
        UserError: ``disk_full``.
    """
    _, need = environment_cost_mb(name, build)
    folder = settings.envs / name
    environments, cache = nearest_existing(folder), nearest_existing(settings.uv_cache)
    is_one_disk = environments.stat().st_dev == cache.stat().st_dev
    since = started_at(settings, name)
    cached = CacheGrowth(settings.uv_cache, since).measure() if since else 0
    done = max(measure_bytes(folder), cached) if is_one_disk else measure_bytes(folder)
    places = [(environments, done, "TTS_TRAIN_ENVS")]
    if not is_one_disk:
        places.append((cache, cached, "UV_CACHE_DIR"))
    for place, got, variable in places:
        left, free = need - got // 1_000_000, free_bytes(place) // 1_000_000
        if free < left + settings.disk_reserve_bytes // 1_000_000:
            raise UserError(
                "disk_full",
                f"The environment {name!r} needs {left} MB more at {place}, and {free} MB are free there.",
                f"Free some space, or set {variable} to a folder on a larger disk. What was done is kept.",
            )


def started_at(settings: Settings, name: str) -> float | None:
    """Return when an unfinished set-up began, in seconds since the epoch; None: there is none."""
    with contextlib.suppress(OSError):
        return (settings.envs / name / UNFINISHED).stat().st_mtime
    return None
