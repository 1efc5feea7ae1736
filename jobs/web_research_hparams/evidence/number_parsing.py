"""Parsing of numbers and ranges in prose: 5e-6, 2 × 10^-6, 10⁻⁵, 1,800, "1e-5 to 5e-5", [1e-6, 1e-5]."""

import re
from dataclasses import dataclass

_MINUS = "[-−]"
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_FROM_RAISED = str.maketrans(_RAISED + "⁻", "0123456789-")
_POWER = rf"(?:\^\s?\{{?\s?{_MINUS}?\d{{1,2}}\s?\}}?|\*\*\s?{_MINUS}?\d{{1,2}}|⁻?[{_RAISED}]{{1,2}}|{_MINUS}\d{{1,2}})"
_TIMES_TEN = rf"\s?(?:×|[xX]|·|\*|\\times|\\cdot)\s?10{_POWER}"
_TEN_TO = rf"10(?:\^\s?\{{?\s?{_MINUS}?\d{{1,2}}\s?\}}?|\*\*\s?{_MINUS}?\d{{1,2}}|⁻?[{_RAISED}]{{1,2}})"
_PLAIN = r"(?:\d{1,3}(?:,\d{3}){1,2}(?!\d)|\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})"
NUMBER = rf"(?:{_TEN_TO}|{_PLAIN}(?:[eE][-−+]?\d{{1,2}}|{_TIMES_TEN})?)"
_TO = r"\s?(?:-|–|—|to|through|\.\.\.?|…|~)\s?"
VALUE = (
    rf"(?:[\[({{]\s?(?P<first>{NUMBER})\s?,\s?(?:{NUMBER}\s?,\s?){{0,6}}(?P<last>{NUMBER})\s?[\])}}]"
    rf"|(?:between |from )(?P<least>{NUMBER})\s(?:and|to)\s(?P<most>{NUMBER})"
    rf"|(?P<low>{NUMBER}){_TO}(?P<high>{NUMBER})"
    rf"|(?P<one>{NUMBER}))"
)
"""A number, a range, or a list in brackets, read as the range that it spans."""
ENDS = r"(?![\w%×]|[.,]\d|[ ]?(?:%|×|times\b|x\b|[GMk]B\b|GPUs?\b|hours?\b|minutes?\b|min\b|of \d|/ ?\d))"
"""Not allowed after a setting's number: a unit of another quantity, "of 10", a factor."""


@dataclass(frozen=True)
class Span:
    """A value, or a range of values."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Return True if the value lies in the span, up to rounding."""
        return self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)


def parse_number(text: str) -> float:
    """Convert a text that matches ``NUMBER``."""
    plain = text.replace("−", "-").replace("\\times", "×").replace("\\cdot", "×").replace(" ", "")
    ten = re.fullmatch(r"(?:(.*?)[×xX·*])??10(?:\^\{?(-?\d+)\}?|\*\*(-?\d+)|(⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|(-\d+))", plain)
    if ten is not None:
        exponent = ten[2] or ten[3] or (ten[4] or "").translate(_FROM_RAISED) or ten[5]
        return _plain(ten[1] or "1") * 10.0 ** int(exponent)
    return _plain(plain)


def parse_match(match: re.Match[str]) -> Span:
    """Convert a match of ``VALUE``."""
    pairs = (("first", "last"), ("least", "most"), ("low", "high"), ("one", "one"))
    low, high = next((match[a], match[b]) for a, b in pairs if match[a] is not None)
    ends = sorted((parse_number(low), parse_number(high)))
    return Span(ends[0], ends[1])


def parse_span(text: str) -> Span | None:
    """Parse a text that is a number or a range; None: it is neither."""
    found = re.fullmatch(rf"\s*{VALUE}\s*", text)
    return parse_match(found) if found is not None else None


def format_number(value: float) -> str:
    """Format a number as people write it: 5e-6, 0.01, 50."""
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.10g}" if abs(value) >= 1e6 else f"{value:.6g}"


def _plain(text: str) -> float:
    return float(text.replace(",", ""))
