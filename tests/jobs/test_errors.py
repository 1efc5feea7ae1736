"""The way from an exception to its causes."""

from __future__ import annotations

import pytest

from jobs.errors import UserError, causes


def test_causes_are_those_named_and_those_met() -> None:
    def fail() -> None:
        try:
            try:
                raise OSError("first")
            finally:
                int("second")
        except ValueError as error:
            raise UserError("third", "") from error

    with pytest.raises(UserError) as caught:
        fail()

    assert [type(cause) for cause in causes(caught.value)] == [UserError, ValueError, OSError]
    assert list(causes(None)) == []


def test_causes_in_a_circle_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    assert list(causes(first)) == [first, second]
