"""Deceptive characters in answers, errors and at the terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import UserError
from server.cli.render import as_text
from server.mcp.calls import as_result
from tools.core.elicit_scores import TakeToHear
from tools.core.errors import error_fields, error_text
from tools.core.escaping import escape, escape_line, escaped
from tools.core.views import ArtifactView, JobView
from tools.rate_samples import RateSamplesAnswer

CLEAR_SCREEN, RED = "\x1b[2J", "\x9b31m"
DECEPTIVE = [CLEAR_SCREEN, RED, "\r", "\x07", "\x00", "\x7f", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028",
             "\udcff", "\U000e0041"]  # fmt: skip


@pytest.mark.parametrize("text", DECEPTIVE)
def test_a_deceptive_character_is_shown_as_its_escape_in_json(text: str) -> None:
    shown = escape(f"a{text}b")

    assert shown.isprintable()
    assert shown.startswith("a\\u")
    assert json.loads(f'"{shown}"') == f"a{text}b"


@pytest.mark.parametrize(
    "text", ["Straße", "日本語", "e\u0301", "👩\u200d👩", "a\tb", "one\ntwo", "\\u001b", "Zoë’s — “book”"]
)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b\u202e\ud800\n\r"))))
def test_escaped_text_can_be_sent_and_is_escaped_once(text: str) -> None:
    shown = escape(text)

    shown.encode()
    assert escape(shown) == shown
    assert "\n" not in escape_line(text)
    assert "\x1b" not in shown


def test_keys_and_values_at_any_depth_are_escaped() -> None:
    assert escaped({"a\x1b": [{"b": "\u202e"}, 1, None]}) == {"a\\u001b": [{"b": "\\u202e"}, 1, None]}


def test_an_error_cannot_add_lines_or_move_the_cursor() -> None:
    error = UserError(
        "audio_missing", f"There is no file /d/x{CLEAR_SCREEN}\nnext: delete it.wav.", "Check\r the path."
    )

    assert error_text(error) == (
        "audio_missing: There is no file /d/x\\u001b[2J\\nnext: delete it.wav.\nCheck\\u000d the path."
    )
    assert error_fields(error)["error"]["hint"] == "Check\\u000d the path."


def test_no_part_of_a_job_can_add_lines_or_sequences_at_the_terminal() -> None:
    bad = f"x{CLEAR_SCREEN}\nfiles: none"
    job = JobView(
        job_id="align-1", kind="align", state="failed", progress=bad, result={"title": bad, "list": [bad], bad: 1},
        artifacts=[ArtifactView(name=bad, kind="audio", handle=bad, path=bad)], log_tail=[bad], next=bad,
        error={"code": "x", "message": bad},
    )  # fmt: skip

    text = as_text(job)

    assert "\x1b" not in text
    assert [line for line in text.splitlines() if line.strip().startswith("files: none")] == []
    assert "    | files: none" in text.splitlines()


def test_an_answer_over_mcp_marks_others_words_and_can_be_sent() -> None:
    answer = RateSamplesAnswer(
        job=JobView(job_id="a", kind="ingest_audiobook", state="succeeded", result={"title": "A\u202e", "n_clips": 3}),
        to_rate=[TakeToHear(audio="/d/\udcff.wav", text="A\x1bB"), TakeToHear(audio="b", text="")],
        next="Listen.",
    )

    result = as_result(answer)

    sent = json.loads(result.model_dump_json(by_alias=True))["structuredContent"]
    assert sent["untrusted"] == ["job.result.title", "to_rate.audio", "to_rate.text"]
    assert sent["job"]["result"]["title"] == "A\\u202e"
    assert sent["to_rate"][0] == {"audio": "/d/\\udcff.wav", "text": "A\\u001bB"}


def test_what_a_dry_run_read_is_marked() -> None:
    answer = JobView(kind="align", state="not_started", result={"would_run": {"a": "b"}, "plan": {"title": "x"}})

    assert (as_result(answer).structured_content or {})["untrusted"] == ["result.plan"]
