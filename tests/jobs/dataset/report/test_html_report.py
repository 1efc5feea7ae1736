"""Page of a dataset: it holds its sound, and foreign text stays text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.dataset.manifest import Clip, Source, write_rows
from jobs.dataset.quality.judging import Judged
from jobs.dataset.quality.quality_filter import QualityRejection
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.report.alignment_report import show_words
from jobs.dataset.report.html_report import write_page
from jobs.dataset.report.report_model import ChapterRow, Reason, Report
from tests.support.html_page import HOSTILE, HtmlPage


def make_clip(dataset: Path, name: str) -> Clip:
    """Make a second of noise with a hostile text, from a hostile recording."""
    write_clip(dataset / name, np.random.default_rng(0).normal(0, 0.1, CLIP_RATE_HZ).astype(np.float32), CLIP_RATE_HZ)
    source = Source(recording=HOSTILE, chapter=1, start_s=0.5, end_s=1.5)
    return Clip(audio=name, text=HOSTILE, duration_s=1.0, source=source, quality={"snr_db": 30.0})


def test_the_page_holds_its_sound_and_shows_foreign_text_as_text(tmp_path: Path) -> None:
    kept, noisy = make_clip(tmp_path, "0.wav"), make_clip(tmp_path, "1<b>.wav")
    judged = Judged([kept], [(noisy, QualityRejection("noisy", 3.0, 15.0, HOSTILE))], references={HOSTILE: ["0.wav"]})
    chapter = ChapterRow(
        recording=HOSTILE, chapter=1, title=HOSTILE, n_clips=1, kept_s=1.0, rejected_s=3.0, silence_s=0.0,
        kept_share=0.25, reasons_s={"noisy": 3.0},
    )  # fmt: skip
    report = Report(
        name="book", title=HOSTILE, author=HOSTILE, voice=HOSTILE, transcript="book", total_s=4.0, kept_s=1.0,
        rejected_s=3.0, n_clips=1, n_rejected=1, n_validation=0, validation_s=0.0, n_words_book=1200,
        n_words_placed=600,
        reasons=[Reason(reason="noisy", n=1, length_s=3.0, meaning="too much noise")], chapters=[chapter],
        thresholds={"min_snr_db": 15.0, "max_rate": None}, notes=[HOSTILE],
    )  # fmt: skip

    write_page(tmp_path, report, judged, Thresholds())

    page = HtmlPage((tmp_path / "report.html").read_text(encoding="utf-8"))
    page.assert_harmless()
    assert page.text.count(HOSTILE) == 2 + 2 + 1 + 1 + 3 + 1  # titles, author and voice, note, chapter, clips, detail
    assert len(page.sources("audio")) == 3
    assert all(source.startswith("data:audio/mpeg;base64,") for source in page.sources("audio"))
    assert all(source.startswith("data:image/png;base64,") for source in page.sources("img"))
    assert "50.0%" in page.text
    assert ("span", {"class": "bad"}) in page.tags  # a quarter of the chapter's speech is little
    assert "1<b>.wav, chapter 1 at 0:00.5" in page.text


def test_a_picture_of_hostile_text_is_only_a_picture(tmp_path: Path) -> None:
    write_rows(tmp_path / "train_aligned.jsonl", [make_clip(tmp_path, "0.wav")])

    page = HtmlPage(show_words(tmp_path / "train_aligned.jsonl").read_text(encoding="utf-8"))

    page.assert_harmless()
    assert len(page.sources("img")) == 1
