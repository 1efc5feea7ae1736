"""``config.toml`` of a home: its entries, what overrides them, and what is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.config import Config, SearchSettings, read_config, read_settings, read_settings_at_the_shell
from jobs.errors import UserError
from jobs.settings import Settings, SlurmSettings


def _with_file(home: Path, text: str, **variables: str) -> Settings:
    (home / "config.toml").write_text(text)
    return read_settings({"TTS_TRAIN_HOME": str(home)} | variables, cwd=home)


def test_the_file_in_the_home_holds_for_everybody_and_a_variable_wins(tmp_path: Path) -> None:
    text = """
        gpu_slots = 2
        cpu_slots = 4
        disk_reserve_mb = 20
        backend = "slurm"
        [slurm]
        partition = "gpu"
        extra = ["--exclusive"]
        [slurm.path_map]
        "/home/me" = "/net/me"
    """

    settings = _with_file(tmp_path, text, TTS_TRAIN_CPU_SLOTS="1", TTS_TRAIN_GPU_SLOTS="auto")

    assert (settings.gpu_slots, settings.cpu_slots, settings.disk_reserve_bytes) == (None, 1, 20_000_000)
    assert settings.backend == "slurm"
    assert settings.slurm == SlurmSettings(
        partition="gpu", extra=("--exclusive",), path_map={"/home/me": "/net/me"}, gres="gpu:1", mem="16G"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpu_slot = 1", "'gpu_slots'"),
        ("[slurm]\npartitions = 'gpu'", "'partition'"),
        ("[search]\nprovider = 'google'", "provider = 'google': Input should be '', 'brave', 'searxng' or 'tavily'"),
        ("[search]\nprovider = 'searxng'", "address of an instance"),
        ("[search]\nurl = 'file:///etc'", "url = 'file:///etc': Input should be an http address"),
        ("[search]\nkey = 'secret'", "'key_env'"),
        ("cpu_slots = 'many'", "cpu_slots = 'many': Input should be a valid integer"),
        ("backend = 'kubernetes'", "'local' or 'slurm'"),
        ("gpu_slots = 'some'", "gpu_slots = 'some': Input should be a whole number or \"auto\""),
        ("gpu_slots = true", "gpu_slots = True"),
        ("cpu_slots = 2.5", "cpu_slots = 2.5"),
        ("cpu_slots = '4'", "cpu_slots = '4'"),
        ("cpu_slots = ", "not TOML"),
        ("check_gpu_free = 3", "valid boolean"),
        ("cancel_grace_s = -1", "greater than or equal to 0"),
        ("roots = 'books'", "roots = 'books'"),
        ("[slurm]\nnodes = '2'", "[slurm]: nodes = '2'"),
        ("[slurm]\nextra = '--nice'", "[slurm]: extra = '--nice'"),
        ("slurm = 3", "[slurm]"),
        ("gpu_slots = 2026-11-26", "gpu_slots"),
        (
            "[http]\nissuer_url = 'https://a.example'",
            "OAuth needs resource_server_url, introspection_url too. Add it, or remove the others",
        ),
        ("[http]\nmax_per_s = 0", "[http]: max_per_s = 0: Input should be greater than 0"),
        ("[http]\nallowed_host = ['a']", "Did you mean 'allowed_hosts'"),
    ],
)
def test_an_entry_that_is_not_known_or_does_not_fit_is_refused_with_what_was_meant(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(UserError) as refused:
        _with_file(tmp_path, text)

    assert refused.value.code == "settings_invalid"
    assert says in str(refused.value)


def test_folders_of_the_homes_configuration_are_roots(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'roots = ["{tmp_path}/books", "within"]\n')

    settings = read_settings({"TTS_TRAIN_HOME": str(tmp_path)}, cwd=tmp_path)

    assert {tmp_path / "books", tmp_path / "within"} <= set(settings.roots)


def test_at_the_shell_roots_of_the_file_restrict_nothing_and_those_of_the_variable_do(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('roots = ["books"]\n')
    environ = {"TTS_TRAIN_HOME": str(tmp_path)}

    assert read_settings_at_the_shell(environ, cwd=tmp_path).roots == (tmp_path, Path("/"))
    restricted = read_settings_at_the_shell(environ | {"TTS_TRAIN_ROOTS": str(tmp_path / "a")}, cwd=tmp_path)
    assert {tmp_path / "a", tmp_path / "books"} <= set(restricted.roots)
    assert Path("/") not in restricted.roots


def test_a_child_process_gets_the_entries_without_reading_the_file(tmp_path: Path) -> None:
    settings = _with_file(tmp_path, "gpu_slots = 3\ncheck_gpu_free = false\nsandbox = false\n[slurm]\ncpus = 4\n")

    child = Settings.from_environment(settings.to_environment({}))

    assert child == settings
    assert (child.gpu_slots, child.check_gpu_free, child.sandbox, child.slurm.cpus) == (3, False, False, 4)


def test_tables_for_the_http_server_and_for_the_search(tmp_path: Path) -> None:
    assert read_config(tmp_path) == Config()
    (tmp_path / "config.toml").write_text(
        "[search]\nprovider = 'brave'\nkey_file = 'brave.key'\n[http]\nport = 0\nallowed_hosts = ['voices.example']\n"
    )

    config = read_config(tmp_path)

    assert config.search == SearchSettings(provider="brave", key_file="brave.key")
    assert (config.http.port, config.http.allowed_hosts) == (0, ("voices.example",))


def test_an_empty_provider_is_none(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[search]\nprovider = ""\n')

    assert read_config(tmp_path) == Config()
