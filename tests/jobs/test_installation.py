"""Places of an installed program and of a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import installation
from jobs.installation import find_files, find_import_folder, link_code


def test_a_checkout_holds_its_own_files_and_is_imported_as_it_is(tmp_path: Path) -> None:
    link_code(tmp_path)

    assert installation.IS_CHECKOUT
    assert find_import_folder(tmp_path) == installation.FILES == installation.CODE
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_keeps_them_in_share_and_is_imported_through_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    (code / "jobs").mkdir(parents=True)
    files = tmp_path / "venv" / "share" / "tts-train"
    files.mkdir(parents=True)
    (files / "run.sh").touch()
    monkeypatch.setattr(installation, "CODE", code)
    monkeypatch.setattr(installation, "IS_CHECKOUT", False)
    (tmp_path / "envs" / "code").mkdir(parents=True)
    (tmp_path / "envs" / "code" / "jobs").symlink_to(tmp_path / "an older version")

    for _ in range(2):
        link_code(tmp_path / "envs")

    assert find_files(code) == files
    assert {path.name: path.readlink() for path in find_import_folder(tmp_path / "envs").iterdir()} == {
        name: code / name for name in ("jobs", "server", "tools")
    }
    assert installation.data_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/tts-train")


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("venv/lib/python3.11/site-packages", "venv"),
        ("venv/lib64/python3.12/site-packages", "venv"),
        ("local/lib/python3.11/dist-packages", "local"),
        ("home/lib/python", "home"),
        ("target", "target"),
    ],
)
def test_an_installation_has_the_files_of_its_own_prefix_and_of_no_folder_above_it(
    tmp_path: Path, code: str, files: str
) -> None:
    folder = tmp_path / "x" / code
    folder.mkdir(parents=True)
    for above in {*folder.parents} - {tmp_path / "x" / files, *tmp_path.parents}:
        (above / "share" / "tts-train").mkdir(parents=True)
        (above / "share" / "tts-train" / "run.sh").touch()

    planted = find_files(folder)
    own = tmp_path / "x" / files / "share" / "tts-train"
    own.mkdir(parents=True)
    (own / "run.sh").touch()

    assert planted == folder
    assert find_files(folder) == own
