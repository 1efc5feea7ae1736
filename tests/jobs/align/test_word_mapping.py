"""Written words know how they are spoken, and nothing is passed over in silence."""

import pytest

from jobs.align.word_mapping import WrittenWord, likeliest_readings, match_spoken, written_words
from jobs.text.multilingual_normalization import CannotSpell, chinese


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


@pytest.mark.parametrize(
    ("text", "code", "spoken"),
    [
        ("1984 kostete es 3,5 %.", "de", "neunzehnhundertvierundachtzig kostete es drei komma fünf prozent"),
        ("Dr. Weiß hat 12.500 Bücher, z.B. dieses.", "de",
         "doktor weiß hat zwölftausendfünfhundert bücher zum beispiel dieses"),
        ("Mme Curie, le 1er mai, 21 ans", "fr", "madame curie le premier mai vingt et un ans"),
        ("El Sr. Díaz pagó 20 €.", "es", "el señor díaz pagó veinte euros"),
        ("Il sig. Rossi, 3ª volta", "it", "il signor rossi terzo volta"),
        ("O Dr. Silva tem 2,5 anos", "pt", "o doutor silva tem dois vírgula cinco anos"),
        ("В 1905 году, т.е. давно", "ru", "в одна тысяча девятьсот пять году то есть давно"),
        ("책 21권", "ko", "책 이십일 권"),
        ("21本", "ja", "二 十 一 本"),
        ("105年", "zh", "一 百 零 五 年"),
        ("3.5%", "zh", "三 点 五"),
    ],
)  # fmt: skip
def test_every_language_of_qwen_says_its_numbers_signs_and_abbreviations(text, code, spoken):
    assert " ".join(part for word in written_words(text, code) for part in word.spoken) == spoken


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "零"), (10, "十"), (12, "十二"), (20, "二十"), (105, "一百零五"), (110, "一百一十"), (1455, "一千四百五十五"),
     (1005, "一千零五"), (10_010, "一万零一十"), (120_000, "十二万"), (30_405, "三万零四百零五"),
     (100_000_000, "一亿")],
)  # fmt: skip
def test_chinese_numbers_are_read_with_their_zeros(number, said):
    assert chinese(number) == said


def test_a_number_longer_than_anyone_reads_is_refused():
    with pytest.raises(CannotSpell, match="20 digits"):
        written_words("Nummer 12345678901234567890", "de")


def test_the_likeliest_reading_of_every_word_comes_before_the_next_ones():
    found = list(likeliest_readings(written_words("In 1455 and 120", "en"), "en"))

    assert [(number, " ".join(spoken)) for number, spoken in found[:3]] == [
        (1, "one thousand four hundred and fifty five"),
        (3, "one hundred twenty"),
        (1, "one thousand four hundred fifty five"),
    ]
    assert [number for number, _ in found].count(1) == 4


def test_thousands_of_recognised_numbers_are_matched():
    words = written_words("1455 120 " * 1000, "en")
    spoken = ["fourteen", "hundred", "and", "fifty", "five", "one", "twenty"] * 1000

    matched = match_spoken(words, spoken, "en")

    assert matched is not None
    assert [part for word in matched for part in word.spoken] == spoken
    assert match_spoken(words, spoken[:-1], "en") is None
    assert match_spoken([], [], "en") == []
    assert match_spoken([], ["one"], "en") is None
