"""JSON objects of strangers."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.files.json_documents import MOST_NESTED, MOST_PARTS, parse_json, parse_object

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"1", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": ' + b"1" * 5000 + b"}",
        b'{"a": "\xff"}', b"[" * 1_000_000, b'{"a":' * 1_000_000, b'{"a":' * MOST_NESTED + b"1" + b"}" * MOST_NESTED,
        b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00",
    ],
)  # fmt: skip
def test_what_is_no_object_within_the_bounds_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_object(content)


@settings(max_examples=50, deadline=None)
@given(document=st.dictionaries(st.text(), VALUES, max_size=4))
def test_an_object_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    assert parse_object(json.dumps(document).encode()) == document


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=40) | st.text('{}[]":,1e-Nul ', max_size=30).map(str.encode))
def test_any_bytes_are_an_object_or_refused(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_object(content), dict)


@pytest.mark.parametrize(
    ("content", "value"), [(b"\xef\xbb\xbf[1.5]", [1.5]), ("null", None), (b'"\\ud83d\\ude00"', "\U0001f600")]
)
def test_any_document_is_read_also_with_a_mark_of_its_encoding(content: bytes | str, value: object) -> None:
    assert parse_json(content) == value


@pytest.mark.parametrize(
    "content", [b"", b"NaN", b"[1e999]", b"[" * 100_000, b'"\\ud800"', b'{"a": "\\uDC00"}', b"\xff",
                b"[" + b"[]," * (MOST_PARTS // 2) + b"[]]", b'{"a":[' + b"0," * MOST_PARTS + b"0]}"],
)  # fmt: skip
def test_what_is_no_document_is_refused(content: bytes) -> None:
    for parse in (parse_json, parse_object):
        with pytest.raises(ValueError, match=r"."):
            parse(content)
