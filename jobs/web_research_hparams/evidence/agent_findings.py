"""Findings of the calling agent's own search: checked, mapped to our parameter names, and marked as unverified."""

import re
from collections.abc import Mapping, Sequence

from pydantic import Field, ValidationError

from jobs.errors import UserError
from jobs.param_types import Strict, Value, first_fault
from jobs.spelling import closest
from jobs.web_research_hparams.evidence.extract import MAX_CONTEXT, MAX_QUOTE, extract_values, is_about_the_model
from jobs.web_research_hparams.evidence.number_parsing import NUMBER, Span, parse_number, parse_span
from jobs.web_research_hparams.evidence.parameter_aliases import BY_NAME, find_parameter
from jobs.web_research_hparams.evidence.trainers import classify_loss_state
from jobs.web_research_hparams.evidence.weighing import ValueCandidate
from jobs.web_research_hparams.search.response_parsers import parse_date, web_link
from jobs.web_research_hparams.search.sanitize import clean, to_plain_text

MAX_FINDINGS = 50
FINDING = "parameter, value, source_url, quote, date, context"
"""Fields of a finding, the last two optional; as text, because a nested schema would lengthen every tools/list."""


class Finding(Strict):
    """One value on a page that the agent read."""

    parameter: str = Field(max_length=60, description="lr, epochs, batch_size …")
    value: Value = Field(description='A number, or a range as text: "1e-6 to 1e-5".')
    source_url: str = Field(max_length=400)
    quote: str = Field(max_length=2000, description="The page's own words, with the value.")
    date: str = Field("", max_length=40)
    context: str = Field("", max_length=4000)


def read_findings(given: Sequence[Mapping[str, object]]) -> list[Finding]:
    """Check the fields of findings. Raises ``UserError`` ``finding_invalid``."""
    findings = []
    for place, fields in enumerate(given):
        try:
            findings.append(Finding.model_validate(dict(fields)))
        except ValidationError as error:
            raise _invalid(place, clean(first_fault(error), 160), f"A finding has {FINDING}.") from error
    return findings


def read_candidates(findings: Sequence[Finding]) -> list[ValueCandidate]:
    """Convert findings to candidates, not yet weighed.

    Raises ``UserError``: ``finding_invalid`` for an unknown setting, an invalid value or address, or a value that is
    not in its quote.
    """
    return [_candidate(place, finding) for place, finding in enumerate(findings)]


def _candidate(place: int, finding: Finding) -> ValueCandidate:
    parameter = find_parameter(finding.parameter)
    if parameter is None:
        near = closest(finding.parameter.lower(), BY_NAME)
        meant = f"Did you mean {near!r}? " if near else ""
        raise _invalid(place, f"{clean(finding.parameter, 60)!r} is not a researched setting",
                       f"{meant}Known are {', '.join(BY_NAME)}.")  # fmt: skip
    span = _span(finding.value)
    if span is None:
        raise _invalid(
            place, f"{clean(finding.value, 60)!r} is not a number or a range", 'Write 5e-6, or "1e-6 to 1e-5".'
        )
    url = web_link(finding.source_url)
    if not url:
        raise _invalid(place, f"{clean(finding.source_url, 80)!r} is not a web address",
                       "Every number needs its source: give the page's http(s) address.")  # fmt: skip
    quote, context = clean(finding.quote, MAX_QUOTE), clean(finding.context or finding.quote, MAX_CONTEXT)
    said = to_plain_text(finding.quote)
    if not all(_occurs_in(end, said) for end in {span.low, span.high}):
        raise _invalid(place, f"the value {clean(finding.value, 40)} is not in the quote {quote[:60]!r}",
                       "Quote the page's own words that hold the number.")  # fmt: skip
    read = next((one for one in extract_values(said, context) if one.parameter == parameter.name), None)
    state = classify_loss_state(url, f"{quote} {context}")
    return ValueCandidate(
        id=f"a{place + 1}",
        parameter=parameter.name,
        low=span.low,
        high=span.high,
        unit=parameter.unit,
        model_size=read.size if read else None,
        method="lora" if parameter.lora else read.method if read else None,
        says=read.says if read else "for",
        source="agent",
        source_url=url,
        date=parse_date(finding.date),
        # the page was not read here: its address is unverified
        loss_state="unknown" if state == "correct" else state,
        is_about_model=is_about_the_model(f"{said} {context}", "", url),
        from_agent=True,
        untrusted_quote=quote,
        untrusted_context=context,
    )


def _span(value: object) -> Span | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Span(float(value), float(value))
    return parse_span(str(value))


def _occurs_in(value: float, text: str) -> bool:
    return any(abs(parse_number(found) - value) <= 1e-6 * abs(value) for found in re.findall(NUMBER, text))


def _invalid(place: int, what: str, hint: str) -> UserError:
    return UserError("finding_invalid", f"findings[{place}]: {what}.", hint)
