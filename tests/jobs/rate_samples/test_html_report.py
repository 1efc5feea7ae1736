"""Page of a rating: players by relative path, anchors by name, and foreign text stays text."""

from __future__ import annotations

from pathlib import Path

from jobs.rate_samples.html_report import write_page
from jobs.rate_samples.params import Drift, Rating, Result
from jobs.rate_samples.results import RatingResults
from jobs.rating.human_ratings import HumanRating, Opinions, Vote
from jobs.rating.judge_models import JudgeModels, SpeakerModel
from tests.support.html_page import HOSTILE, HtmlPage

NAME = HOSTILE.replace("/", "")


def make_rating(audio: str) -> Rating:
    """Make a rating of a take with hostile text."""
    return Rating(
        audio=audio, text=HOSTILE, rating=4.5, uncapped=4.75, person=5.0, n_person=1, reasons=[HOSTILE],
        heard_words=HOSTILE, marked_text=HOSTILE, calibrated=4.25, voice=0.9, measures={"utmosv2": 3.125},
    )  # fmt: skip


def test_takes_and_reference_clips_are_played_beside_what_people_wrote(tmp_path: Path) -> None:
    opinions = Opinions(
        (HumanRating(audio=f"{NAME}.wav", text=HOSTILE, score=5, note=HOSTILE, at=0.0, who=HOSTILE),),
        (Vote(audio="0.wav", against="1.wav", text="", winner="audio", at=0.0, model=HOSTILE),),
    )
    results = RatingResults(
        ratings=[make_rating(f"{NAME}.wav")], anchors={"narrator": [make_rating("clips/7.wav")], "zero_shot": []},
        anchor_notes={"narrator": HOSTILE, "zero_shot": HOSTILE}, profiles={}, limits={},
        drift=Drift(n_takes=1, speaking_rate=None, pitch_st=None, sim=None, flags=[]),
        models=JudgeModels(SpeakerModel()), opinions=opinions,
    )  # fmt: skip
    (tmp_path / "ratings.png").write_bytes(b"\x89PNG")
    result = Result(
        ratings="", report="", evaluation="", n_takes=1, n_texts=1, mean_rating=4.5, mean_uncapped=4.75, low=4.75,
        high=4.75, worst_rating=4.5, best_take="", verdict=[HOSTILE], common_reasons={}, n_text_heard=0,
        n_text_compared=0, plot=str(tmp_path / "ratings.png"), caveat="Automatic.",
    )  # fmt: skip
    places = {f"{NAME}.wav": f"../takes/{NAME}.wav", "clips/7.wav": "../data/clips/7.wav"}

    write_page(tmp_path / "report.html", results, result, places)

    page = HtmlPage((tmp_path / "report.html").read_text(encoding="utf-8"))
    page.assert_harmless()
    take, anchor = page.sources("audio")
    assert take.startswith("../takes/%3C")
    assert anchor == "../data/clips/7.wav"
    assert "Narrator's held-out clips (upper bound)" in page.text
    assert "Clone without training" in page.text
    assert page.text.count(HOSTILE) == 1 + 2 + 2 * 4 + 2 + 1  # verdict, notes, takes, score, vote
    assert "calibrated 4.25" in page.text
    assert "UTMOSv2 3.12 (not part of the rating)" in page.text
    assert "1970-01-01 00:00" in page.text
