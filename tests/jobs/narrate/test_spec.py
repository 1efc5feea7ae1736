"""The next call of a narration names what was given, and nothing that is so by default."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from jobs.narrate.params import Params
from jobs.narrate.spec import next_step


def step_after(result: dict[str, Any], **given: object) -> str:
    params = Params.model_validate({"model": "/voices/anna", "text": "/book.epub", **given}).model_dump(mode="json")
    record: Any = SimpleNamespace(params=params, result=result)
    runner: Any = None
    return next_step(record, runner)


def test_after_the_list_of_words_it_is_to_be_given_back() -> None:
    said = step_after({"words": "/out/words.txt"}, list_words=True, read_along=True)

    assert "pronunciation" in said
    assert "read_along" in said
    assert "list_words" not in said
    assert "takes" not in said


def test_after_the_audiobook_doubtful_passages_are_named() -> None:
    done = {"audiobook": "/out/book.m4b", "report": "/out/report.html", "n_doubtful": 2}

    assert "Listen to the 2 doubtful passages in /out/report.html" in step_after(done)
    assert "Listen" not in step_after({**done, "n_doubtful": 0})
