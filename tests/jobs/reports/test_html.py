"""Rendering of reports: every template escapes what it is given, runs nothing and loads nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from jobs.reports import data_url, embed_picture, write_page
from jobs.reports.html import TEMPLATES
from tests.support.html_page import HOSTILE, HtmlPage

PIXEL = data_url(b"\x89PNG", "image/png")
CLIP = {"sound": PIXEL, "text": HOSTILE, "place": HOSTILE, "reason": HOSTILE, "detail": HOSTILE, "measures": HOSTILE}
TAKE = {
    "rating": 4.5, "uncapped": 4.8, "person": 5.0, "n_person": 1, "text": HOSTILE, "heard_words": HOSTILE,
    "parts": [("voice", 0.9), ("sound", None)], "utmos": 3.1, "reasons": [HOSTILE], "source": HOSTILE,
    "spectrogram": HOSTILE, "audio": HOSTILE, "word_changes": [HOSTILE],
    "marked_text": HOSTILE, "calibrated": 3.25,
}  # fmt: skip
ROWS = [[HOSTILE] * 11]
COMPARISON = [(HOSTILE, 4.5, HOSTILE, 6, HOSTILE), (HOSTILE, None, "–", 0, HOSTILE)]
SAMPLE = {"about": HOSTILE, "audio": HOSTILE, "note": HOSTILE, "duration_s": 1.25}
PAGES: dict[str, dict[str, Any]] = {
    "dataset": {
        "title": HOSTILE, "author": HOSTILE, "voice": HOSTILE, "transcript": HOSTILE, "totals": [(HOSTILE, HOSTILE)],
        "notes": [HOSTILE], "pictures": {"chapters": PIXEL, "histograms": PIXEL, "spectrograms": PIXEL},
        "chapters": [{"title": HOSTILE, "n_clips": 1200, "kept": "1:00.0", "kept_share": 0.4, "reasons": HOSTILE},
                     {"title": HOSTILE, "n_clips": 0, "kept": "0:00.0", "kept_share": None, "reasons": ""}],
        "reasons": ROWS, "best": [CLIP | {"reason": None}, CLIP | {"text": ""}], "rejected": [CLIP],
        "borderline": [CLIP], "thresholds": [[HOSTILE, 0.5]],
    },
    "alignment": {"picture": PIXEL},
    "training": {
        "speaker": HOSTILE, "method": HOSTILE, "steps": 30, "summary": ROWS, "loss_plot": PIXEL,
        "sentences": [{"text": HOSTILE, "is_held_out": True, "samples": [SAMPLE, SAMPLE | {"audio": None}]}],
        "probe_columns": [HOSTILE], "probes": [[0, 6.0, 11.0, 4.7, 10.0]], "parameters": ROWS,
    },
    "narration": {
        "title": HOSTILE, "length": "0:01:00", "n_passages": 3, "n_doubtful": 2, "width": 720, "height": 48,
        "chapters": [{"number": 1, "title": HOSTILE, "start": "0:00:00", "length": "0:01:00", "lufs": -19.0,
                      "peak": -4.0, "waveform": HOSTILE, "audio": HOSTILE}],
        "doubtful": [{"text": HOSTILE, "said": HOSTILE + ".", "chapter": HOSTILE, "at": "0:00:01", "rating": 2.0,
                      "source": HOSTILE, "reasons": [HOSTILE]}],
        "skipped": [(HOSTILE, HOSTILE)], "notes": [HOSTILE],
    },
    "rating": {
        "verdict": [HOSTILE], "caveat": HOSTILE, "comparison": COMPARISON, "plot": PIXEL, "rated": [TAKE], "cap": 4.5,
        "scores": ROWS, "preferences": ROWS, "agreement": [HOSTILE], "models": ROWS,
        "anchors": [(HOSTILE, [TAKE | {"person": None}])],
    },
    "search": {
        "lines": [HOSTILE], "formula": HOSTILE, "columns": [HOSTILE], "trials": ROWS, "numeric": range(2), "best": 0,
        "pictures": [{"title": HOSTILE, "page": "javascript:alert(3)", "source": PIXEL}],
    },
    "refinement": {
        "lines": [HOSTILE], "ratings_plot": PIXEL, "losses_plot": PIXEL, "columns": [HOSTILE], "rounds": ROWS,
        "best": None, "anchors": COMPARISON, "decisions": [(HOSTILE, HOSTILE)],
        "samples": [{"title": HOSTILE, "samples": [
            {"audio": HOSTILE, "rating": 4.25, "phrase": HOSTILE, "reasons": [HOSTILE, HOSTILE]}
        ]}],
    },
}  # fmt: skip


def render(folder: Path, template: str, **changes: Any) -> str:
    """Return a page made of a template's values."""
    write_page(folder / "report.html", template, **PAGES[template], **changes)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_every_template_is_tested_here() -> None:
    names = {path.name.removesuffix(".html.j2") for path in TEMPLATES.glob("*.html.j2")}

    assert names - {"base", "macros"} == set(PAGES)


@pytest.mark.parametrize("template", PAGES)
def test_text_from_elsewhere_stays_text(tmp_path: Path, template: str) -> None:
    page = HtmlPage(render(tmp_path, template))

    page.assert_harmless()
    assert template == "alignment" or HOSTILE in page.text


@pytest.mark.parametrize("template", PAGES)
def test_a_page_follows_the_screens_width_and_its_dark_mode(tmp_path: Path, template: str) -> None:
    page = render(tmp_path, template)

    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert "@media (prefers-color-scheme: dark)" in page
    assert page.count("<style>") == 1


@pytest.mark.parametrize("template", PAGES)
def test_a_value_that_is_missing_is_an_error_and_leaves_the_page_as_it_was(tmp_path: Path, template: str) -> None:
    (tmp_path / "report.html").write_text("before")
    missing, *_ = PAGES[template]

    with pytest.raises(UndefinedError, match=missing):
        write_page(
            tmp_path / "report.html",
            template,
            **{name: value for name, value in PAGES[template].items() if name != missing},
        )

    assert (tmp_path / "report.html").read_text() == "before"


def test_players_and_pictures_keep_their_relative_paths(tmp_path: Path) -> None:
    take = TAKE | {"source": "../takes/Ärger #1?.wav", "spectrogram": "spectrograms/00.png"}
    write_page(tmp_path / "report.html", "rating", **PAGES["rating"] | {"rated": [take], "anchors": []})

    page = HtmlPage((tmp_path / "report.html").read_text(encoding="utf-8"))

    assert page.sources("audio") == ["../takes/%C3%84rger%20%231%3F.wav"]
    assert page.sources("img") == [PIXEL, "spectrograms/00.png"]


def test_tables_scroll_within_their_box(tmp_path: Path) -> None:
    page = render(tmp_path, "training")

    assert page.count("<table>") == len(re.findall(r'<div class="scroll" tabindex="0">\s*<table>', page)) == 3


def test_a_picture_is_embedded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")

    assert embed_picture(tmp_path / "a.png") == "data:image/png;base64,iVBORw=="
