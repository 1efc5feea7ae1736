"""Answers as a person at a terminal reads them."""

from __future__ import annotations

from server.cli.render import MOST_LISTED, as_text
from tools.core.views import ArtifactView, JobView


def job(**about: object) -> JobView:
    return JobView.model_validate({"job_id": "align-1", "kind": "align", "state": "succeeded", **about})


def test_a_text_of_several_lines_is_set_in() -> None:
    text = as_text(job(result={"summary": "Kept 2:10.\nHeld out: 4 clips.", "n_clips": 27}))

    assert text.splitlines()[1:] == ["  summary:", "    | Kept 2:10.", "    | Held out: 4 clips.", "  n_clips: 27"]


def test_long_lists_say_how_much_more_there_is() -> None:
    artifacts = [ArtifactView(name=f"{n}.wav", kind="audio", handle=f"artifact://a/{n}.wav") for n in range(20)]
    text = as_text(job(result={"wavs": [f"{n}.wav" for n in range(20)]}, artifacts=artifacts))

    assert text.count("… 8 more") == 2
    assert text.count("artifact://") == MOST_LISTED


def test_next_is_a_command_to_copy() -> None:
    text = as_text(job(next='Call convert_codes manifest="a b/train_aligned.jsonl".'))

    assert text.splitlines()[-1] == "next: Call ./run.sh convert_codes --manifest 'a b/train_aligned.jsonl'."
