"""Answers, errors and the terminal: others' words are marked, and nothing in them deceives a reader."""

from __future__ import annotations

import json

from jobs.errors import UserError
from jobs.param_types import is_untrusted
from jobs.runner.job_kind import all_kinds
from server.cli.render import as_text
from server.mcp.calls import as_result
from tools.core.elicit_scores import TakeToHear
from tools.core.errors import error_fields, error_text
from tools.core.views import ArtifactView, JobView
from tools.rate_samples import RateSamplesAnswer

CLEAR_SCREEN = "\x1b[2J"
# Texts of results that are this product's own words, or a path that a caller chose or that follows from it.
OWN = frozenset(
    {
        *("dataset", "manifest", "report", "folder", "takes", "wavs", "ratings", "evaluation", "plot", "study"),
        *("environment", "voice", "voice_last", "voice_ema", "adapter", "base", "tensorboard", "best_config"),
        *("aligner", "tokenizer", "judges", "ended", "schedule", "words", "audiobook", "read_along", "url", "voices"),
        *("commands", "checked", "address", "commit"),
        *("rejected", "rejected_by_reason", "rejected_by_reason_s", "common_reasons", "trials", "hyperparameters"),
        *("verdict", "summary", "caveat", "keeps", "ref_audio_lines"),
    }
)


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


def test_every_text_of_a_result_is_marked_or_known_to_be_our_own() -> None:
    """A new field of a result is marked as ``Untrusted``, or listed above: somebody has thought of it."""
    texts = {
        name
        for kind in all_kinds().values()
        for name, field in kind.result.model_fields.items()
        if "str" in str(field.annotation) and not is_untrusted(field)
    }

    assert texts - OWN == set()
