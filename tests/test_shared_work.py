"""Work that tests share is done once, by one of several that need it at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.shared_work import do_once


class Factory:
    """The temporary folder of one of several processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def getbasetemp(self) -> Path:
        return self._folder


def test_of_several_that_need_it_at_once_one_does_it(tmp_path: Path) -> None:
    calls: list[Path] = []
    factory = Factory(tmp_path / "run")

    def work(folder: Path) -> dict[str, int]:
        calls.append(folder)
        (folder / "made").write_text("7\n")
        return {"found": 7}

    with ThreadPoolExecutor(4) as several:
        outcomes = list(several.map(lambda _: do_once(factory, "once", work), range(4)))

    assert len(calls) == 1
    assert {folder for folder, _ in outcomes} == set(calls)
    assert [result for _, result in outcomes] == [{"found": 7}] * 4
    assert (calls[0] / "made").read_text() == "7\n"


def test_work_that_fails_is_begun_anew_in_an_empty_folder(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "run")

    def fails(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        do_once(factory, "again", fails)
    folder, left = do_once(factory, "again", lambda folder: list(folder.iterdir()))

    assert left == []
    assert list(folder.iterdir()) == []


def test_the_processes_of_one_run_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    work = iter(["done", "done again"])
    found = [do_once(Factory(tmp_path / name), "of a run", lambda _: next(work)) for name in ("gw0", "gw1")]

    assert found == [(tmp_path / "shared work" / "of a run", "done")] * 2
