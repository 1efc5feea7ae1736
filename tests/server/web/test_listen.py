"""Takes of several voices on the pages: blind pairs, the ranking, and what votes say about the automatic rating."""

from __future__ import annotations

import json
import re

import pytest

from jobs.rating.human_ratings import read_opinions
from tests.server.web.conftest import ORIGIN, make_takes
from tests.support.html_page import HOSTILE

JOBS = [f"synthesize-20260101-00000{number}-000{number}" for number in range(3)]
MODELS = ["/voices/good", "/voices/fair", f"poor {HOSTILE}"]


@pytest.fixture
def folders(browser) -> list:
    return [make_takes(browser.context.settings.home, job, model) for job, model in zip(JOBS, MODELS, strict=True)]


def begin(browser, *jobs: str) -> str:
    """Return the path of a new session."""
    body = "&".join(f"takes={job}" for job in jobs)
    headers = {"Origin": ORIGIN, "HX-Request": "true", "Content-Type": "application/x-www-form-urlencoded"}
    answer = browser.client.post(f"{browser.keys.root}/listen", content=body, headers=headers)
    found = re.search(r'/listen/[^"/]+/', answer.text)
    assert found, answer.text
    return found[0]


def test_each_two_of_three_voices_are_compared_and_the_best_one_is_found(browser, folders: list) -> None:
    session = begin(browser, *JOBS)
    for folder, ratings in zip(folders, (4.0, 3.0, 3.5), strict=True):
        takes = [{"audio": f"{number:03d}.wav", "rating": ratings, "uncapped": ratings} for number in range(4)]
        (folder / "ratings.json").write_text(json.dumps({"takes": takes}))
    pairs = browser.get(f"{session}contents").json()["pairs"]
    for number in range(len(pairs)):
        heard = {place: browser.get(f"{session}pair/{number}/{place}").text for place in ("first", "second")}
        rank = {place: next(n for n, model in enumerate(MODELS) if heard[place].startswith(model)) for place in heard}
        best = min(rank, key=lambda place: rank[place])
        vote = {"pair": number, "winner": best, "who": "Ada"}
        stored = browser.client.post(f"{browser.keys.root}{session}vote", json=vote, headers={"Origin": ORIGIN})
        assert stored.status_code == 200

    page = browser.get(f"{session}results").text

    assert len(pairs) == 3 * 4
    assert [len(read_opinions(folder).votes) for folder in folders] == [8, 4, 0]
    ranked = re.findall(r'<th scope="row">([^&<]+)', page)
    assert ranked == ["good", "fair", "poor "]
    assert page.count("against <b>") == 3
    assert "Of 12 votes between rated takes, 8 prefer" in page
    assert "<script>alert" not in page


def test_one_voice_is_only_rated_and_none_is_refused(browser, folders: list) -> None:
    assert browser.get(f"{begin(browser, JOBS[0])}contents").json()["pairs"] == []
    assert "No takes were chosen" in browser.post("/listen", who="").text


def test_the_choice_names_voices_and_their_takes(browser, folders: list) -> None:
    page = browser.get("/listen").text

    assert page.count('type="checkbox"') == 3
    assert "4 takes" in page
    assert "<script>alert" not in page
