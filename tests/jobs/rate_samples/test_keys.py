"""A measure is kept under everything that it depends on."""

from __future__ import annotations

from jobs.rate_samples.keys import key_of


def test_a_key_changes_with_everything_it_depends_on() -> None:
    keys = {key_of("clip", "hash", "text"), key_of("clip", "hash", "other"), key_of("cut", "hash", "text")}

    assert len(keys) == 3
    assert key_of("clip", "hash", "text") in keys
