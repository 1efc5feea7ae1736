"""Space for an environment: what is left to come must fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings
from jobs.setup.space import check_space, started_at

NEED_MB = 8800


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path / "home")}, cwd=tmp_path)
    return replace(found, envs=tmp_path / "envs", uv_cache=tmp_path / "cache")


def with_room_for(settings: Settings, megabytes: int) -> Settings:
    """Keep all of the disk but so many megabytes in reserve."""
    return replace(settings, disk_reserve_bytes=free_bytes(settings.envs) - megabytes * 1_000_000)


def test_an_environment_that_does_not_fit_is_refused_with_both_figures(settings: Settings) -> None:
    with pytest.raises(UserError) as refused:
        check_space(with_room_for(settings, NEED_MB - 500), "ml")

    assert refused.value.code == "disk_full"
    assert f"needs {NEED_MB} MB more" in str(refused.value)
    assert "TTS_TRAIN_ENVS" in refused.value.hint
    check_space(with_room_for(settings, NEED_MB + 500), "ml")


def test_what_an_interrupted_set_up_has_downloaded_counts(settings: Settings) -> None:
    (settings.envs / "ml").mkdir(parents=True)
    (settings.envs / "ml" / ".unfinished").touch()
    package = settings.uv_cache / "archive-v0" / "torch"
    package.mkdir(parents=True)
    with (package / "library").open("wb") as file:
        file.truncate(3_000_000_000)

    with pytest.raises(UserError) as refused:
        check_space(with_room_for(settings, 5000), "ml")

    assert "needs 5800 MB more" in str(refused.value)
    assert started_at(settings, "ml") is not None
    check_space(with_room_for(settings, 6300), "ml")
