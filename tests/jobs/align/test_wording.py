"""Written words know how they are spoken, and nothing is passed over in silence."""

import pytest

from jobs.align.wording import CannotSpell, WrittenWord, written_words


def pairs(text: str, code: str) -> list[tuple[str, str]]:
    return [(word.text, " ".join(word.spoken)) for word in written_words(text, code)]


def test_a_number_is_one_written_word_and_several_spoken():
    assert pairs("In 1455, i.e. then.", "en") == [
        ("In", "in"),
        ("1455", "fourteen fifty five"),
        ("i.e.", "that is"),
        ("then", "then"),
    ]


def test_letters_that_english_cannot_say_are_refused():
    with pytest.raises(CannotSpell, match="'М'"):
        written_words("He said Москва.", "en")


def test_a_text_of_marks_has_no_words():
    assert written_words("… — !", "en") == []


def test_german_numbers_are_spelt_out():
    assert pairs("Es waren 21 Bücher, »E-Mail«.", "de") == [
        ("Es", "es"),
        ("waren", "waren"),
        ("21", "einundzwanzig"),
        ("Bücher", "bücher"),
        ("E-Mail", "e mail"),
    ]


def test_every_chinese_character_is_a_word():
    assert written_words("你好。", "zh") == [WrittenWord("你", ("你",)), WrittenWord("好", ("好",))]


def test_a_number_that_cannot_be_spelt_out_is_refused():
    with pytest.raises(CannotSpell, match="21"):
        written_words("21本", "zh")


def test_a_number_longer_than_anyone_reads_is_refused():
    with pytest.raises(CannotSpell, match="20 digits"):
        written_words("Nummer 12345678901234567890", "de")
