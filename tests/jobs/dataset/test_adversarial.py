"""A book with everything that can be wrong with one: nothing wrong is kept, nothing good is lost for its quality."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from jobs.dataset.rejection_reasons import QUALITY_REASONS
from tests.jobs.dataset.conftest import Spoiled
from tests.jobs.dataset.spoiled import UNREAD

BORDER_S = 0.3  # chapter marks are in milliseconds; AAC has a start of its own


def spans(spoiled: Spoiled) -> Iterator[tuple[str, str | None, float, float]]:
    """(title, fault, start, end) of the chapters, seconds."""
    start = 0.0
    for part in spoiled.chapters:
        end = start + len(part.samples) / 24_000
        yield part.title, part.fault, start, end
        start = end


def inside(row: dict, start: float, end: float) -> bool:
    return row["source"]["start_s"] >= start - BORDER_S and row["source"]["end_s"] <= end + BORDER_S


def test_nothing_wrong_is_kept_and_no_good_clip_is_lost_for_its_quality(spoiled: Spoiled) -> None:
    kept, rejected = spoiled.rows("train_manifest.jsonl"), spoiled.rows("rejections.jsonl")
    judged = [row for row in rejected if row["reason"] in QUALITY_REASONS and row.get("audio")]

    false_keeps, false_rejects = {}, {}
    for title, fault, start, end in spans(spoiled):
        n_kept = sum(inside(row, start, end) for row in kept)
        n_judged = sum(inside(row, start, end) for row in judged)
        false_keeps[title] = n_kept if fault else 0
        false_rejects[title] = 0 if fault else n_judged
        sys.stdout.write(f"  {title:18} fault {fault}: {n_kept} clips kept, {n_judged} rejected for quality\n")
    assert false_keeps == dict.fromkeys(false_keeps, 0)
    assert false_rejects == dict.fromkeys(false_rejects, 0)
    clean_s = sum(end - start for _, fault, start, end in spans(spoiled) if fault is None)
    assert sum(row["duration_s"] for row in kept) >= 0.8 * clean_s


def test_every_kept_clip_says_what_its_chapter_says(spoiled: Spoiled) -> None:
    texts = {part.title: " ".join(part.text.split()) for part in spoiled.chapters}

    for title, _, start, end in spans(spoiled):
        for row in spoiled.rows("train_manifest.jsonl"):
            if inside(row, start, end):
                assert " ".join(row["text"].split()) in texts[title]


def test_each_chapters_rejections_name_its_fault_with_value_and_limit(spoiled: Spoiled) -> None:
    rejected = spoiled.rows("rejections.jsonl")

    for _, fault, start, end in spans(spoiled):
        of_chapter = [row for row in rejected if inside(row, start, end) and row["reason"] != "silence"]
        if fault is None:
            continue
        named = [row for row in of_chapter if row["reason"] == fault]
        assert named
        if fault != "not_in_text":
            assert {row["reason"] for row in of_chapter if row.get("audio")} == {fault}
            assert all(row["value"] != row["limit"] and row["detail"] for row in named)


def test_kept_and_rejected_are_the_whole_recording(spoiled: Spoiled) -> None:
    rows = spoiled.rows("train_manifest.jsonl") + spoiled.rows("rejections.jsonl")
    edges = sorted((round(row["source"]["start_s"] * 24_000), round(row["source"]["end_s"] * 24_000)) for row in rows)

    assert edges[0][0] == 0
    assert [end for _, end in edges[:-1]] == [start for start, _ in edges[1:]]
    assert edges[-1][1] == round(spoiled.result.recording_s * 24_000)


def test_the_report_tells_which_chapter_was_lost_and_why(spoiled: Spoiled) -> None:
    chapters = {row["title"]: row for row in spoiled.report["chapters"]}

    for part in spoiled.chapters:
        row = chapters[part.title]
        if part.fault is None:
            assert row["kept_share"] > 0.7
        else:
            assert (row["kept_share"], row["n_clips"]) == (0, 0)
            assert part.fault in row["reasons_s"]
            told = f"{part.title}: nothing of its speech was kept"
            assert any(note.startswith(told) for note in spoiled.report["notes"])
    page = (spoiled.dataset / "report.html").read_text(encoding="utf-8")
    assert all(part.title in page for part in spoiled.chapters)


def test_the_report_tells_what_was_never_read(spoiled: Spoiled) -> None:
    begin = " ".join(UNREAD.split()[:8])

    assert any("were not found" in note and begin in note for note in spoiled.report["notes"])


def test_the_summary_is_short_and_tells_the_worst(spoiled: Spoiled) -> None:
    lines = spoiled.result.summary.splitlines()

    assert 5 <= len(lines) <= 12
    assert "A spoiled book: kept" in lines[0]
    assert "music" in spoiled.result.summary


def test_the_page_needs_nothing_beside_it(spoiled: Spoiled) -> None:
    page = (spoiled.dataset / "report.html").read_text(encoding="utf-8")

    assert page.count("data:audio/mpeg;base64,") >= 10
    assert page.count("data:image/png;base64,") == 3
    assert 'src="clips' not in page
    assert "http" not in page
    assert "<script" not in page
