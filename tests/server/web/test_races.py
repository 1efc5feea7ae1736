"""Answers in real Chromium that are slow, come in another order, or come while a person types, presses or clicks."""

from __future__ import annotations

from pathlib import Path

from jobs.dataset.corrections.record import read_corrections
from tests.server.web.browsing import find_chromium, pages
from tests.server.web.conftest import add_job, make_dataset
from tests.server.web.test_browser import write_sounds

RUN_S = 120
FAILED = "training-20260104-00000{}-0001"
FINISHED = "ingest_audiobook-20260104-000000-0002"


class Work:
    """Finished jobs, as another process leaves them in the store."""

    def __init__(self, home: Path) -> None:
        self._home, self._n_failed = home, 0
        book = home / "book.wav"
        book.write_bytes(b"sound")
        add_job(home, FINISHED, "cancelled", {"audio": str(book), "voice": "anna"})

    def fail(self) -> str:
        """Add a job that has failed, and return its id."""
        self._n_failed += 1
        job_id = FAILED.format(self._n_failed)
        add_job(self._home, job_id, "failed", {"speaker": "anna"})
        return job_id


def test_answers_that_come_late_change_nothing_that_a_person_has_done_since(tmp_path: Path) -> None:
    chromium = find_chromium()
    home = tmp_path / "home"
    dataset = home / "datasets" / "anna"
    make_dataset(dataset)
    write_sounds(dataset)
    work = Work(home)

    with pages(chromium, tmp_path, home, tmp_path) as server:
        asked = {"job": work.fail, "finished": lambda: FINISHED}
        seen = server.walk("races", asked, RUN_S)

    assert seen["afterSlowPanel"] == ["clip-1", "clip-1"], "the panel of the clip that was chosen last"
    assert seen["dropped"] == ["clip-2"], "a key acts on the clip that is chosen, not on the one that is still shown"
    assert seen["afterKeys"] == ["clip-3", "text", "clip-3"]
    assert seen["draft"] == ["This is the text of clip 3. Typed.", True]
    assert seen["discarded"] == [True, False]
    assert seen["faulty"] == ["Right words.", "1"]
    assert seen["typed"] == ["durdu", "words"]
    assert seen["filtered"].startswith("1 of 122")
    assert seen["states"] == ["cancelled"]
    assert seen["focusKept"]
    assert (seen["heldBack"], seen["followed"]) == (True, True)
    assert seen["posts"] == 1
    stored = [f"{one.clip.partition('@')[2]} {one.action}" for one in read_corrections(dataset / "corrections.jsonl")]
    third, fourth, sixth = "10.000-14.000", "15.000-19.000", "25.000-29.000"
    assert stored == [f"{third} drop", f"{third} keep", f"{third} drop", f"{fourth} change", f"{sixth} drop"]
