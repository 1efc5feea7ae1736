"""The one shape of an error, and what an unforeseen one leaves behind."""

from __future__ import annotations

import errno
import logging
import os
import re
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.text.redaction import redact, redacted
from tools.core.errors import error_fields, error_text, unexpected


def test_an_error_has_a_code_what_happened_and_the_next_call() -> None:
    error = UserError("disk_full", "3 MB are free.", "Free some, then call again.")

    assert error_fields(error) == {
        "error": {"code": "disk_full", "message": "3 MB are free.", "hint": "Free some, then call again."},
        "untrusted": ["error.message"],
    }
    assert error_text(error) == "disk_full: 3 MB are free.\nFree some, then call again."


def test_an_unforeseen_error_tells_an_id_and_the_log_has_the_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"

    with caplog.at_level(logging.ERROR):
        told = unexpected("align", RuntimeError("no such thing, token=abc123def456"), home)

    found = re.search(r"incident ([0-9a-f]{8})", told.message)
    assert found is not None
    assert told.code == "internal_error"
    assert "no such thing" not in str(told)
    for log in ((home / "errors.log").read_text(), caplog.text):
        assert f"incident {found[1]}" in log
        assert "RuntimeError: no such thing" in log
        assert "abc123def456" not in log


def test_an_endless_value_is_cut_and_the_end_of_the_sentence_stays() -> None:
    told = error_text(UserError("x", f"There is no {'y' * 9000}, only z.", "Call again."))

    assert len(told) < 2100
    assert told.endswith("only z.\nCall again.")


def test_a_home_that_cannot_be_written_is_no_second_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")

    assert unexpected("align", RuntimeError(), tmp_path / "home").code == "internal_error"


@pytest.mark.parametrize(
    "secret",
    [
        "hf_abcdefghijklmnopqrstuvwxyz",
        "ghp_abcdefghijklmnopqrstuvwxyz0123",
        "sk-ant-abcdefghijklmnop0123",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2QT",
    ],
)
def test_tokens_are_known_by_their_form(secret: str) -> None:
    assert redact(f"login with {secret} failed") == "login with [redacted] failed"


def test_credentials_in_addresses_and_headers_go_and_the_rest_stays() -> None:
    assert redact("GET https://me:pa55@hub.co/x?lang=en&access_token=abc12345xyz") == (
        "GET https://[redacted]@hub.co/x?lang=en&access_token=[redacted]"
    )
    assert redact("Authorization: Bearer abcdefgh12345678") == "Authorization: Bearer [redacted]"
    assert redacted({"a": ["password=hunter2hunter"], "n": 3}) == {"a": ["password=[redacted]"], "n": 3}


@pytest.mark.parametrize(
    "plain", ["max_tokens=2048", "tokenizer=toy", "token: missing", "/data/hf_cache/model", "a 16:9 b"]
)
def test_words_that_only_look_like_secrets_stay(plain: str) -> None:
    assert redact(plain) == plain


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "path_unusable"),
        (errno.ENAMETOOLONG, "path_unusable"),
        (errno.ENOENT, "path_unusable"),
        (errno.ENOSPC, "disk_full"),
        (errno.EMFILE, "internal_error"),
    ],
)
def test_a_path_that_cannot_be_used_is_no_defect(tmp_path: Path, number: int, code: str) -> None:
    told = unexpected("align", OSError(number, os.strerror(number), b"/d/x\xff"), tmp_path / "home")

    assert told.code == code
    assert ("/d/x" in told.message) == (code != "internal_error")
    assert (tmp_path / "home" / "errors.log").exists() == (code == "internal_error")


def test_an_error_of_no_file_stays_a_defect(tmp_path: Path) -> None:
    assert unexpected("align", ConnectionResetError(errno.ECONNRESET, "reset"), tmp_path).code == "internal_error"
