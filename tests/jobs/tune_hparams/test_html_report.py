"""Page of a search: the best trial stands out, and foreign text stays text."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

from jobs.tune_hparams.html_report import write_page
from jobs.tune_hparams.params import Params
from jobs.tune_hparams.search_space import Range
from jobs.tune_hparams.study import Study, TrialOutcome
from tests.support.html_page import HOSTILE, HtmlPage

RANGES = [Range(name="lr", low=1e-6, high=1e-3, log=True)]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two trials, of which the second is better; then one that failed."""
    study = Study(tmp_path / "study.db", RANGES, storage=InMemoryStorage())
    study.enqueue([{"lr": 1e-4}, {"lr": 2e-5}, {"lr": 3e-6}], [HOSTILE, "", ""])
    for outcome in (
        TrialOutcome("complete", 4.5),
        TrialOutcome("complete", 4.25),
        TrialOutcome("failed", None, HOSTILE),
    ):
        trial = study.ask()
        assert trial is not None
        study.tell(trial.number, outcome)
    return study


def test_trials_stand_in_order_of_loss_and_the_best_stands_out(study: Study, tmp_path: Path) -> None:
    params = Params(manifest="m.jsonl", ranges=RANGES)
    (tmp_path / "history.png").write_bytes(b"\x89PNG")

    write_page(tmp_path / "report.html", params, study, [HOSTILE], ["history"])

    page = HtmlPage((tmp_path / "report.html").read_text(encoding="utf-8"))
    page.assert_harmless()
    assert page.text.count(HOSTILE) == 3  # the summary, a source, a detail
    assert page.text.index("4.2500") < page.text.index("4.5000") < page.text.index("failed")
    assert [tag for tag, attributes in page.tags if attributes.get("class") == "best"] == ["tr"]
    assert [attributes["href"] for tag, attributes in page.tags if tag == "a"] == ["history.html"]
