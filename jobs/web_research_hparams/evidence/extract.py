"""Extraction of training settings from text, each with its sentence. Precision has priority over recall.

Supported are prose ("a learning rate of 2 × 10^-6"), YAML, JSON, flags, keyword arguments and Markdown tables. Other
content of a text has no effect.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from jobs.web_research_hparams.evidence.number_parsing import ENDS, NUMBER, VALUE, Span, parse_match, parse_number
from jobs.web_research_hparams.evidence.parameter_aliases import PARAMETERS, Parameter
from jobs.web_research_hparams.knowledge import Method, ModelSize
from jobs.web_research_hparams.search.sanitize import excerpt, sentences

MAX_QUOTE, MAX_CONTEXT = 200, 400
MAX_VALUES_PER_PAGE = 12
_MAX_LINE = 2_000
_MAX_LR = 0.01  # a larger number before "learning rate" is a count

# Allowed between a name and its value: "lr: 5e-6", "| lr | 5e-6 |", "learning rate was set to 5e-6".
_SIGNS = r"[\s:=|`*_\"'’>$∈]{0,6}"
_WORDS = (
    r"(?:(?:of|is|was|were|lies|lay|to|at|in|set to|set at|be|as|around|about|approximately|roughly|we used?|used|"
    r"default|value|for(?= \d+ (?:optimi[sz]er )?steps))\s+){0,3}"
)
_BETWEEN = rf"{_SIGNS}(?:(?:is |was )?[=:≈~]\s?)?{_WORDS}[`*\"'~≈$]{{0,3}}"
_DECLARED = r"[\"']--?(?P<flag>[\w-]{2,40})[\"'][^\n]{0,120}?default\s?=\s?"

_LORA = re.compile(r"\b(?:q?lora|peft|adapters?)\b|lora_|LoraConfig|\b(?:rank|r)\b.{0,20}(?:\balpha\b|α)", re.I)
_FULL = re.compile(
    r"\bfull(?:[ -](?:parameter|model))?[ -](?:fine-?tun|sft|training)|\bfull sft\b|(?:train|tuner)_type[ =]full", re.I
)
_SIZE = re.compile(r"(?<![\d.])(0\.6|1\.7)\s?-?b\b", re.I)
_SUBJECT = re.compile(r"qwen[ _-]?3?[ _-]?tts", re.I)
_AGAINST = re.compile(
    r"\btoo (?:high|large|big|low|small|aggressive|much)\b|\bavoid|\b(?:do not|don't|never|not to|should not) |"
    r"\bdiverge|\bunstable|\bfail|\bnois[ey]|\bgarb|\bworse|\boverfit|\bover-fit|\bexplod|\bnan\b|\bdegrad|\bcollaps|"
    r"\bbroke|\bruns? away|\bnever stop|\bruined",
    re.I,
)
_REPLACED = re.compile(r"(?:instead of|rather than|not|than|versus|vs\.?)\s+(?:\w+ ){0,3}\S{0,2}$", re.I)
_A_MOMENT = re.compile(
    r"(?:after|every|per|first|last|each|within|until|by|at|epoch|remaining|of|warm[ _-]?up:?)\s+$", re.I
)
_OF_OTHER_WORK = re.compile(r"\b(?:asr|transcri|inference|generat|decod)|whisper", re.I)
_EFFECTIVE = re.compile(r"(?:effective|global|total)[ _-]$", re.I)


@dataclass(frozen=True)
class ExtractedValue:
    """A setting found in a text; ``parameter`` is as ``start_training`` calls it.

    ``quote`` is its sentence, unchanged, shortened; ``context`` the quote with the rest of its line. ``says`` is judged
    by the sentence.
    """

    parameter: str
    span: Span
    unit: str
    quote: str
    context: str
    says: Literal["for", "against"]
    size: ModelSize | None
    method: Method | None


def extract_values(text: str, title: str = "") -> list[ExtractedValue]:
    """Extract all settings of a text made by ``to_plain_text``, each value once, in order.

    ``title`` is of the page; it gives model and method where the sentence does not.
    """
    page = f"{title}\n{text}"
    is_lora_page = bool(_LORA.search(title)) or bool(re.search(r"\blora\b|lora_|LoraConfig", text, re.I))
    found: dict[tuple[str, float, float], ExtractedValue] = {}
    for line, sentence in _sentences(text):
        for parameter, span, unit, start, end in _read(sentence, is_lora_page):
            key = (parameter.name, span.low, span.high)
            if key in found:
                continue
            found[key] = ExtractedValue(
                parameter=parameter.name,
                span=span,
                unit=unit,
                quote=excerpt(sentence, start, end, MAX_QUOTE),
                context=excerpt(line, 0, 0, MAX_CONTEXT) if sentence not in line else _context(line, sentence),
                says="against" if _AGAINST.search(sentence) or _REPLACED.search(sentence[:start]) else "for",
                size=_size(sentence) or _size(title),
                method="lora" if parameter.lora else _method(sentence) or _method(title) or _only_method(page),
            )
            if len(found) == MAX_VALUES_PER_PAGE:
                return list(found.values())
    return list(found.values())


def is_about_the_model(text: str, title: str, url: str) -> bool:
    """Return True for a page about Qwen3-TTS."""
    return bool(_SUBJECT.search(f"{title} {url} {text}"))


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line with its sentences; for tables with headings, each cell with its heading."""
    heads: list[str] = []
    for line in text.split("\n"):
        line = line[:_MAX_LINE]
        if line.count("|") < 2:
            heads = []
            yield from ((line, sentence) for sentence in sentences(line))
            continue
        cells = [cell.strip(" `*") for cell in line.strip().strip("|").split("|")]
        if all(re.fullmatch(r":?-{1,60}:?", cell) for cell in cells):
            continue
        if not heads:
            heads = cells
            if any(re.search(r"\d", cell) for cell in cells):
                yield line, line
        elif any(_names(head) for head in heads):
            row = " | ".join(cells)
            for head, cell in zip(heads, cells, strict=False):
                if _names(head):
                    yield row, f"{head}: {cell}"
        else:
            yield line, line


def _names(head: str) -> bool:
    return any(re.fullmatch(parameter.words, head, re.I) for parameter in PARAMETERS)


def _read(sentence: str, is_lora_page: bool) -> Iterator[tuple[Parameter, Span, str, int, int]]:
    """Yield the parameters of a sentence: span, unit, start and end."""
    taken: list[tuple[int, int]] = []

    def free(start: int, end: int) -> bool:
        if any(start < b and a < end for a, b in taken):
            return False
        taken.append((start, end))
        return True

    for declared in _declared_value().finditer(sentence):
        named = next((p for p in PARAMETERS if re.fullmatch(p.words, declared["flag"], re.I)), None)
        is_other = named is not None and named.name == "batch_size" and _OF_OTHER_WORK.search(sentence)
        if named is not None and not is_other and free(*declared.span()):
            yield named, parse_match(declared), named.unit, *declared.span()
    is_lora = is_lora_page or bool(_LORA.search(sentence))
    for parameter in PARAMETERS:
        if parameter.lora and not is_lora:
            continue
        for match in _named(parameter).finditer(sentence):
            span = parse_match(match)
            if not _is_meant(parameter, match, span) or not free(*match.span()):
                continue
            is_whole_step = bool(_EFFECTIVE.search(sentence[: match.start()])) and parameter.name == "batch_size"
            yield parameter, span, "clips a step, effective" if is_whole_step else parameter.unit, *match.span()
        if parameter.counted:
            for match in _counted(parameter).finditer(sentence):
                low, high = parse_number(match["low"]), parse_number(match["high"] or match["low"])
                if not _is_counted(parameter, sentence[: match.start()], low, high) or not free(*match.span()):
                    continue
                yield parameter, Span(low, high), parameter.unit, *match.span()


def _is_counted(parameter: Parameter, before: str, low: float, high: float) -> bool:
    """Return True if a number before a noun is a setting: not "after 3 epochs", nor a count for a learning rate."""
    if parameter.name == "lr":
        return high <= _MAX_LR
    return low == int(low) and low <= high and not (parameter.name == "epochs" and _A_MOMENT.search(before))


def _is_meant(parameter: Parameter, match: re.Match[str], span: Span) -> bool:
    """Return True if a number after a name is its value."""
    if parameter.whole and not (span.low == int(span.low) and span.high == int(span.high)):
        return False
    name, between = match["name"].lower(), match["between"]
    if "==" in between:
        return False  # a comparison in code
    before = match.string[: match.start()]
    if before.endswith("_") and not _EFFECTIVE.search(before):
        return False  # min_lr, speaker_lr: another setting
    if parameter.name == "batch_size" and _OF_OTHER_WORK.search(match.string):
        return False
    if name in ("r", "bs", "ga", "wd") and "=" not in between and ":" not in between and between.strip():
        return False
    if name in ("bs", "ga") and not between:
        return span.low <= 512
    if not between and name not in ("bs", "ga"):
        return False
    if name == "rank" and re.search(r"\b(?:we|to|i|they)\s$", before, re.I):
        return False  # "we rank 16 systems"
    if parameter.name == "warmup_steps" and "step" not in name:
        # "warm-up 0.05" is a share, "warm-up: 3 epochs" neither
        return span.low >= 1 and not re.match(r"\s?(?:epoch|s\b|sec)", match.string[match.end() :], re.I)
    return True


@cache  # compiled on first use: these patterns take 80 ms, which would delay the start of every server
def _named(parameter: Parameter) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![A-Za-z0-9])(?P<name>{parameter.words})(?![A-Za-z])(?P<between>{_BETWEEN}){VALUE}{ENDS}", re.I
    )


@cache
def _counted(parameter: Parameter) -> re.Pattern[str]:
    number = rf"(?<![\w.,/])(?P<low>{NUMBER})(?:\s?(?:-|–|to|or)\s?(?P<high>{NUMBER}))?"
    return re.compile(rf"{number}[ -](?:full |more )?(?:{parameter.counted})(?![A-Za-z_])", re.I)


@cache
def _declared_value() -> re.Pattern[str]:
    return re.compile(rf"{_DECLARED}{VALUE}{ENDS}", re.I)


def _context(line: str, sentence: str) -> str:
    start = line.find(sentence)
    return excerpt(line, start, min(start + len(sentence), start + MAX_CONTEXT), MAX_CONTEXT)


def _size(text: str) -> ModelSize | None:
    sizes = {match[1] for match in _SIZE.finditer(text)}
    return None if len(sizes) != 1 else "0.6b" if sizes == {"0.6"} else "1.7b"


def _method(text: str) -> Method | None:
    lora, full = bool(re.search(r"\bq?lora\b", text, re.I)), bool(_FULL.search(text))
    return None if lora == full else "lora" if lora else "full"


def _only_method(page: str) -> Method | None:
    """Return the only method that a page mentions, if it does so more than once."""
    n_lora, full = len(re.findall(r"\bq?lora\b|lora_", page, re.I)), bool(_FULL.search(page))
    return "lora" if n_lora >= 2 and not full else "full" if full and n_lora == 0 else None
