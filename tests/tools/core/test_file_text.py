"""What an agent reads of a report: its words and figures, no styles, no base64, no thousand rows."""

from __future__ import annotations

import json
from pathlib import Path

from tools.core.file_text import read_text

PAGE = """<!doctype html><html><head><title>x</title><style>p { color: red }</style></head><body>
<h1>Two Fables</h1><p>Kept <b>0:59.5</b> of 1:07.8.</p><table><tr><th>reason</th><th>s</th></tr>
<tr><td>silence</td><td>8.3 &amp; more</td></tr></table>
<img src="data:image/png;base64,{sound}"><script>let a = 1</script>
<p>After the picture.</p></body></html>"""


def test_a_page_gives_its_words_and_figures(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(PAGE.replace("{sound}", "QUJD" * 100_000))

    text, is_cut = read_text(tmp_path / "report.html", "text/html", 6000)

    assert text.splitlines() == [
        "# Two Fables", "Kept 0:59.5 of 1:07.8.", "reason | s", "silence | 8.3 & more", "After the picture.",
    ]  # fmt: skip
    assert not is_cut


def test_a_report_of_many_rows_gives_its_summary(tmp_path: Path) -> None:
    losses = [{"step": step, "loss": 1.0} for step in range(5000)]
    report = {"losses": losses, "result": {"voice": "/v", "steps": 5000}}
    (tmp_path / "report.json").write_text(json.dumps(report))

    text, is_cut = read_text(tmp_path / "report.json", "application/json", 6000)

    found = json.loads(text)
    assert found["result"] == report["result"]
    assert found["losses"] == [*losses[:3], "… 4996 more …", {"step": 4999, "loss": 1.0}]
    assert not is_cut


def test_other_text_is_shown_from_its_beginning_and_broken_json_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("ä" * 4000)
    (tmp_path / "b.json").write_text("{broken")

    assert read_text(tmp_path / "a.md", "text/markdown", 100) == ("ä" * 50, True)
    assert read_text(tmp_path / "b.json", "application/json", 100) == ("{broken", False)
