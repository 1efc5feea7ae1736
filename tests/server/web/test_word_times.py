"""Words of a clip with the times of its alignment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.dataset.corrections.record import record_of
from server.web.clip_table import ClipLine
from server.web.clip_tables import ClipTables
from server.web.word_times import WordTime, find_words
from tests.server.web.conftest import make_dataset

WORDS = ["This", "is", "the", "text", "of", "clip"]


def aligned(number: int, start_s: float, **changes: Any) -> dict[str, Any]:
    words = [*WORDS, f"{number}."]
    return {"audio": f"aligned/{number:06d}.wav", "text": " ".join(words), "quality": {"start_s": 9.0},
            "source": {"recording": "book.m4b", "chapter": 1, "start_s": start_s, "end_s": 5.0 * number + 4},
            "words": [{"word": word, "start_s": 0.5 * place, "end_s": 0.5 * place + 0.4, "score": 0.9}
                      for place, word in enumerate(words)]} | changes  # fmt: skip


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "anna"
    make_dataset(folder, 6)
    rows = [aligned(0, 0.0), aligned(2, 10.25), aligned(3, 15.0, source=None), aligned(4, 20.0)]
    rows[3]["source"]["recording"] = "other.m4b"
    lines = [*map(json.dumps, rows), "{broken", "null", ""]
    (folder / "train_aligned.jsonl").write_text("\n".join(lines))
    return folder


def line_of(dataset: Path, number: int) -> ClipLine:
    return next(one for one in ClipTables().get(dataset).lines if one.audio == f"clips/{number:06d}.wav")


def test_words_have_times_of_the_recording_also_where_the_clip_was_trimmed(dataset: Path) -> None:
    found = find_words(dataset, line_of(dataset, 2))

    assert [one.word for one in found] == [*WORDS, "2."]
    assert found[1] == WordTime("is", 10.75, pytest.approx(11.15))


def test_a_clip_that_is_not_aligned_or_of_another_recording_has_no_words(dataset: Path) -> None:
    assert find_words(dataset, line_of(dataset, 3)) == []
    assert find_words(dataset, line_of(dataset, 4)) == []
    (dataset / "train_aligned.jsonl").unlink()
    assert find_words(dataset, line_of(dataset, 0)) == []


def test_words_of_an_earlier_text_are_not_shown(dataset: Path) -> None:
    said = {"id": "1", "clip": "book.m4b@0.000-4.000", "audio": "", "action": "change", "at": 1.0,
            "parts": [{"text": "Other words."}]}  # fmt: skip
    record_of(dataset).write_text(json.dumps(said) + "\n")

    assert find_words(dataset, line_of(dataset, 0)) == []


def test_the_panel_has_the_words_escaped(browser) -> None:
    folder = browser.context.settings.home / "datasets" / "anna"
    row = aligned(0, 0.0)
    row["words"][0]["word"] = "<b>This</b>"
    (folder / "train_aligned.jsonl").write_text(json.dumps(row) + "\n")
    text = "<b>This</b> is the text of clip 0."
    manifest = folder / "train_manifest.jsonl"
    manifest.write_text(manifest.read_text().replace("This is the text of clip 0.", text))

    page = browser.get("/datasets/anna/clip?key=book.m4b@0.000-4.000").text

    assert '<span data-from="0.500" data-to="0.900">is</span>' in page
    assert '<span data-from="0.000" data-to="0.400">&lt;b&gt;This' in page
