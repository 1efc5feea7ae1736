"""Numbers as people write them."""

from __future__ import annotations

import pytest

from jobs.web_research_hparams.evidence.number_parsing import Span, format_number, parse_number, parse_span


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-6", 5e-6), ("5E-06", 5e-6), ("5e−6", 5e-6), ("0.000005", 5e-6), (".05", 0.05), ("1,800", 1800),
        ("2 × 10^-6", 2e-6), ("2x10^-6", 2e-6), ("2*10**-6", 2e-6), (r"2 \times 10^{-6}", 2e-6), ("2·10⁻⁶", 2e-6),
        ("2 × 10-6", 2e-6), ("10^-5", 1e-5), ("10⁻⁵", 1e-5), ("1e4", 10_000), ("64", 64),
    ],
)  # fmt: skip
def test_a_number_is_read(text: str, value: float) -> None:
    assert parse_number(text) == pytest.approx(value, rel=1e-12)
    assert parse_span(text) == Span(pytest.approx(value), pytest.approx(value))


@pytest.mark.parametrize(
    "text",
    ["1e-5 to 5e-5", "1e-5-5e-5", "1e-5–5e-5", "1e-5..5e-5", "[1e-5, 5e-5]", "(1e-5, 2e-5, 5e-5)", "5e-5 to 1e-5",
     "between 1e-5 and 5e-5", "from 1e-5 to 5e-5"],
)  # fmt: skip
def test_a_range_is_read_with_its_lower_end_first(text: str) -> None:
    assert parse_span(text) == Span(1e-5, 5e-5)


@pytest.mark.parametrize("text", ["", "five", "10⁻", "2 × 10^", "10^-", "5e-6 or so", "1e-5,5", "1 2", "e-6", "--5"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert parse_span(text) is None


@pytest.mark.parametrize(("value", "text"), [(5e-6, "5e-6"), (1.5e-5, "1.5e-5"), (0.01, "0.01"), (50, "50"), (0, "0")])
def test_a_number_is_spelt_as_people_write_it(value: float, text: str) -> None:
    assert format_number(value) == text
