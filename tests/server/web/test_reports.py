"""Reports of a rating, a search and a refinement as files in real Chromium: two widths, light and dark, and axe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.server.web.browsing import find_chromium, pages

report_files = pytest.importorskip("tests.server.web.report_files", reason="needs optuna and matplotlib")
RUN_S = 120


def test_the_reports_of_ratings_are_readable_on_a_phone_and_in_the_dark(tmp_path: Path) -> None:
    chromium = find_chromium()
    written = report_files.write_reports(tmp_path)

    with pages(chromium, tmp_path, tmp_path / "home", tmp_path) as server:
        server.walk("reports", {"reports": lambda: json.dumps(written)}, RUN_S)

    assert ">anna preferred to the others<" in Path(written["rating"]).read_text(encoding="utf-8")
    for path in written.values():
        page = Path(path).read_text(encoding="utf-8")
        assert "<script" not in page
        assert "prefers-color-scheme: dark" in page, "the stylesheet of the application, in the file itself"
