"""Page of a refinement: it plays the takes of every round, and foreign text stays text."""

from __future__ import annotations

import json
from pathlib import Path

from jobs.refine_voice.html_report import LOSSES, RATED, write_page
from jobs.refine_voice.params import Result, Round
from tests.support.html_page import HOSTILE, HtmlPage


def make_round(folder: Path, iteration: int) -> Round:
    """Make a round with one evaluated take."""
    evaluation = folder / f"evaluations/iteration_{iteration}/evaluation.json"
    evaluation.parent.mkdir(parents=True)
    sample = {"phrase": HOSTILE, "audio": "eval_00.wav", "rating": 3.5, "reasons": [HOSTILE]}
    evaluation.write_text(json.dumps({"samples": [sample]}))
    return Round(
        iteration=iteration, rating=3.5, uncapped=3.5, low=3.0, high=4.0, n_takes=1, stop_rate=1.0, voice="voice",
        lr=None if iteration == 0 else 2e-5, decision=HOSTILE,
    )  # fmt: skip


def test_every_rounds_takes_are_played_and_the_best_round_stands_out(tmp_path: Path) -> None:
    for name in (RATED, LOSSES):
        (tmp_path / name).write_bytes(b"\x89PNG")
    summary = [f"Round 1 is best. {HOSTILE}", "Round 1: in the table.", HOSTILE]
    rounds = [make_round(tmp_path, 0), make_round(tmp_path, 1)]
    result = Result(
        voice="final_model", best_iteration=1, rating=3.5, threshold_met=True, verdict="", summary=summary,
        rounds=rounds, report="",
    )  # fmt: skip

    write_page(
        tmp_path / "report.html",
        result,
        {"narrator": {"mean": 4.5, "low": 4.25, "high": 4.75, "n": 6, "note": HOSTILE}},
    )

    page = HtmlPage((tmp_path / "report.html").read_text(encoding="utf-8"))
    page.assert_harmless()
    assert page.sources("audio") == [f"evaluations/iteration_{number}/eval_00.wav" for number in (0, 1)]
    assert "Round 1 is best." in page.text
    assert "in the table" not in page.text
    assert page.text.count(HOSTILE) == 2 + 2 + 1 + 2 * 2
    assert [tag for tag, attributes in page.tags if attributes.get("class") == "best"] == ["tr"]
    assert "Round 1 (best)" in page.text
