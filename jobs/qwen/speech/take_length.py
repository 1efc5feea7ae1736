"""Longest audio of a take: three times what the narrator would need for its text."""

from collections.abc import Mapping, Sequence
from statistics import median

SLOW_WORDS_PER_S = 2.5  # of an unhurried narrator
SLOW_CHARACTERS_PER_S = 4.0  # the same for scripts without spaces between words
CHARACTERS_OF_A_DIGIT = 6  # "seven"; numbers take far longer than their signs
RUNAWAY_FACTOR = 3.0  # a take this many times as long never ends (limit of alexandria-audiobook2's stop check)
SPARE_S = 3.0  # silence around the shortest texts
LONGEST_S = 600.0
BELIEVED_S_PER_CHARACTER = (0.02, 1.0)  # the fastest and the slowest narrator; other rates of a card are not believed


def spoken_characters(text: str) -> int:
    """Count the characters of a text, each digit as the letters of its word."""
    stripped = text.strip()
    return len(stripped) + (CHARACTERS_OF_A_DIGIT - 1) * sum(character.isdigit() for character in stripped)


def longest_take_s(text: str, s_per_character: float | None = None) -> float:
    """Compute the length in seconds that only a take without an end reaches, so that a loop is not waited for.

    Args:
        text: of the take.
        s_per_character: the narrator's own rate; None: that of an unhurried narrator.
    """
    of_signs = sum(character >= "\u2e80" for character in text) / SLOW_CHARACTERS_PER_S
    of_words = len(text.split()) / SLOW_WORDS_PER_S
    usual_s = of_words if s_per_character is None else s_per_character * spoken_characters(text)
    return min(LONGEST_S, round(RUNAWAY_FACTOR * max(usual_s, of_signs) + SPARE_S, 1))


def measure_rates(clips: Sequence[tuple[str, str, float]]) -> dict[str, float]:
    """Return the median seconds a spoken character by language; clips are (language, text, seconds)."""
    rates: dict[str, list[float]] = {}
    for language, text, duration_s in clips:
        rates.setdefault(language, []).append(duration_s / max(1, spoken_characters(text)))
    return {language: round(median(found), 4) for language, found in rates.items()}


def read_rates(card: Mapping[str, object] | None) -> dict[str, float]:
    """Return the believable rates of a voice's card, which anybody may have written."""
    rates = (card or {}).get("s_per_character")
    low, high = BELIEVED_S_PER_CHARACTER
    found = rates.items() if isinstance(rates, dict) else ()
    return {str(name): rate for name, rate in found if isinstance(rate, float) and low <= rate <= high}
