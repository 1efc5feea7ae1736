"""The list of rare words has names and whole numbers, and no common word that only begins sentences."""

from __future__ import annotations

from pathlib import Path

from jobs.narrate.script.pronunciation import read_pronunciations
from jobs.narrate.script.rare_words import find_rare_words, write_list

TEXTS = [
    "Dr. Aoife Kjeldsen came at 6:45 with 2,000 cartridges. Nobody spoke.",
    '"Late?" she asked. He said: "Yes, Fafnir." The 4th weighed 1.5 tonnes.',
]


def words(texts: list[str], **given: object) -> set[str]:
    known = {
        "dr",
        "came",
        "with",
        "nobody",
        "spoke",
        "late",
        "she",
        "he",
        "said",
        "yes",
        "the",
        "weighed",
        "at",
        "asked",
    }
    return {word for word, _ in find_rare_words(texts, known.__contains__ if given else None)}


def test_without_a_dictionary_names_within_sentences_and_numbers_are_rare() -> None:
    assert words(TEXTS) == {"Aoife", "Kjeldsen", "Fafnir", "6:45", "2,000", "4th", "1.5"}


def test_a_dictionary_knows_the_common_words() -> None:
    found = words(TEXTS, known=True)

    assert {"Aoife", "Kjeldsen", "Fafnir", "6:45", "2,000", "4th", "1.5"} <= found
    assert not found & {"Dr", "Nobody", "Late", "Yes", "He"}


def test_a_number_is_said_as_the_completed_list_says(tmp_path: Path) -> None:
    listed = write_list(find_rare_words(TEXTS, None))
    path = tmp_path / "words.txt"
    path.write_text(listed.replace("2,000 =", "2,000 = two thousand").replace("6:45 =", "6:45 = a quarter to seven"))

    said = read_pronunciations(path).apply(TEXTS[0])

    assert said == "Dr. Aoife Kjeldsen came at a quarter to seven with two thousand cartridges. Nobody spoke."
