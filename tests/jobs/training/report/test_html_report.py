"""The page of a run: what it shows, and that nothing in it is more than text."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.training.loss_history import LossHistory
from jobs.training.params import Result
from jobs.training.report.html_report import write_page
from jobs.training.report.loss_plot import plot_losses
from jobs.training.run.eval_samples import NARRATOR, ZERO_SHOT, Sample
from tests.support.html_page import HOSTILE, HtmlPage

HISTORY = LossHistory(
    steps=[[step, 3.0 / step, 2.0 / step, 1.0 / step, 1e-5, 1.0] for step in range(1, 31)],
    validations=[[10, 2.0, 1.0, 1.0], [20, 1.5, 1.0, 1.0]],
    probes=[[0, 6.0, 11.0, 4.7, 10.0], *([step, 5.0, 4.0, 4.7, 10.0] for step in range(1, 31))],
)


@pytest.fixture
def result(tmp_path: Path) -> Result:
    plot_losses(HISTORY, tmp_path / "loss.png", "a plot")
    return Result(
        voice=str(tmp_path / "voice"), speaker="ann", steps=30, voice_step=20, first_loss=3.0, last_loss=0.1,
        validation_loss=1.5, n_clips=12, base_check="aligned", plot=str(tmp_path / "loss.png"), tensorboard="",
    )  # fmt: skip


def test_it_plays_every_source_of_a_sentence_beside_the_others(result: Result, tmp_path: Path) -> None:
    samples = [
        Sample("voice", "A fox ran.", "samples/voice-1.wav", True, 1.5),
        Sample(NARRATOR, "A fox ran.", "samples/narrator-1.wav", True, 1.4),
        Sample(ZERO_SHOT, "A fox ran.", "samples/zero-shot-1.wav", True, 6.2, "did not end"),
        Sample("voice", "It slept.", None, False, note="cuda_oom: full"),
    ]

    write_page(tmp_path / "report.html", result, {"method": "lora"}, HISTORY, samples)

    page = HtmlPage((tmp_path / "report.html").read_text())
    order = ["samples/narrator-1.wav", "samples/zero-shot-1.wav", "samples/voice-1.wav"]
    assert page.sources("audio") == order
    assert "Samples" in page.text
    assert "did not end" in page.text
    assert "cuda_oom: full" in page.text
    assert "step 20 of 30" in page.text
    assert str(page.sources("img")[0]).startswith("data:image/png;base64,iVBOR")
    page.assert_harmless()


def test_probes_are_thinned_and_a_wrong_order_stands_out(result: Result, tmp_path: Path) -> None:
    write_page(tmp_path / "report.html", result, {}, HISTORY, [])

    page = HtmlPage((tmp_path / "report.html").read_text())
    marked = [attrs for tag, attrs in page.tags if tag == "span" and attrs.get("class") == "bad"]
    n_rows = page.text.count("11.000") + page.text.count("4.000")
    assert n_rows == 11
    assert len(marked) == 10  # all but the base's
    assert "Samples" not in page.text


def test_words_from_a_manifest_are_shown_as_words(result: Result, tmp_path: Path) -> None:
    samples = [Sample("voice", HOSTILE, 'samples/"><script>.wav', True, 1.0, HOSTILE)]

    write_page(tmp_path / "report.html", result, {"speaker": HOSTILE, HOSTILE: 1}, HISTORY, samples)

    page = HtmlPage((tmp_path / "report.html").read_text())
    page.assert_harmless()
    assert HOSTILE in page.text
