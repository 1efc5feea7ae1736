"""English text as it is spoken: numbers, years and abbreviations become words, each tied to the writing.

Not a pronunciation dictionary (``jobs.text.g2p``), and English only.
"""

import re
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from num2words import num2words

from jobs.errors import UserError

MAX_WORDS = 3_000_000  # 300 hours of speech
MAX_DIGITS = 15  # longer numbers are read digit by digit


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One spoken word and the characters ``text[start:end]`` that it, alone or with neighbours, comes from."""

    word: str
    start: int
    end: int


def spoken_words(text: str) -> list[str]:
    """The words a narrator says: lower case, only ``a-z`` and ``'``."""
    return [spoken.word for spoken in spoken_map(text)]


def spoken_map(text: str, max_words: int = MAX_WORDS) -> list[SpokenWord]:
    """The spoken words with where each is written. Words of one number share its characters.

    ``spoken_map("In 1455, i.e. …")`` gives in, fourteen, fifty, five, that, is with spans of ``In``, ``1455``
    (three times) and ``i.e.`` (twice). Raises ``UserError``: ``text_unreadable``, more than ``max_words``.
    """
    words: list[SpokenWord] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "word"
        start, end = match.span()
        for word in _letters(_SAY[kind](match.group(), text[max(0, start - 16) : start])).split():
            words.append(SpokenWord(sys.intern(word), start, end))
        if len(words) > max_words:
            raise UserError(
                "text_unreadable",
                f"The text has more than {max_words:,} words, more than a recording holds.",
                "Give the text of one recording.",
            )
    return words


def written(text: str, words: list[SpokenWord], first: int, last: int) -> str:
    """The writing of ``words[first:last]`` with its punctuation, on one line.

    Punctuation that opens goes with the next word, all other with the word before. Quotes and brackets that
    lose their partner at a cut are dropped.
    """
    limit = words[last].start if last < len(words) else len(text)
    return written_between(text, words[first].start, words[last - 1].end, limit)


def written_between(text: str, start: int, end: int, limit: int) -> str:
    """``text[start:end]`` as ``written`` gives it back, in any language, widened by its punctuation up to ``limit``."""
    return _without_lone_marks(with_marks(text, start, end, limit))


def with_marks(text: str, start: int, end: int, limit: int) -> str:
    """``text[start:end]`` with its punctuation up to ``limit``, also with half of a pair of quotes or brackets."""
    while start > 0 and text[start - 1] in _OPENING and (start == 1 or not text[start - 2].isalnum()):
        start -= 1
    if start > 1 and text[start - 2] == "«" and text[start - 1] in _SPACES:
        start -= 2
    while end < limit:
        if text[end] in _SPACES and text[end + 1 : end + 2] in _AFTER_SPACE and end + 1 < limit:
            end += 2
        elif text[end].isspace() or _opens_here(text, end):
            break
        else:
            end += 1
    return " ".join(text[start:end].split())


def other_readings(written_token: str) -> list[list[str]]:
    """Further ways to say a number or an abbreviation, beside that of ``spoken_words``; spoken words each.

    ``i.e.`` is also read "i e", 1455 also "fourteen hundred and fifty five", 120 also "one hundred twenty".
    """
    token = written_token.lower()
    found = [*_OTHER_READINGS.get(token, ())]
    if re.fullmatch(r"\d{1,3}(?:,\d{3}){1,4}|\d{3,6}", token):
        number = int(token.replace(",", ""))
        cardinal = str(num2words(number))
        found += [cardinal, cardinal.replace(" and ", " ")]
        if 1100 <= number <= 9999 and number // 100 % 10:
            hundreds, rest = divmod(number, 100)
            head = f"{num2words(hundreds)} hundred"
            found += [f"{head} and {num2words(rest)}", f"{head} {num2words(rest)}"] if rest else [head]
        if 100 <= number <= 999 and number % 100 >= 10:
            found.append(f"{num2words(number // 100)} {num2words(number % 100)}")
    usual = spoken_words(written_token)
    readings = [_letters(reading).split() for reading in found]
    return [reading for k, reading in enumerate(readings) if reading != usual and reading not in readings[:k]]


_OTHER_READINGS = {
    "i.e.": ("i e",), "e.g.": ("e g",), "etc.": ("and so on", "and so forth"), "st.": ("street",), "vs.": ("v s",),
    "viz.": ("that is", "vis"), "dr.": ("drive",), "ms.": ("miz",), "&": ("et",),
}  # fmt: skip
_OPENING = "\"'“‘([«»¿¡„"
_ABBREVIATIONS = {
    "i.e.": "that is", "e.g.": "for example", "etc.": "et cetera", "viz.": "namely", "vs.": "versus",
    "mr.": "mister", "mrs.": "missus", "ms.": "miss", "messrs.": "messieurs", "dr.": "doctor", "st.": "saint",
    "prof.": "professor", "rev.": "reverend", "hon.": "honorable", "gen.": "general", "col.": "colonel",
    "capt.": "captain", "lt.": "lieutenant", "sgt.": "sergeant", "jr.": "junior", "sr.": "senior",
    "vol.": "volume", "chap.": "chapter", "mr": "mister", "mrs": "missus", "dr": "doctor",
}  # fmt: skip
_CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "pence"), "€": ("euro", "cent")}
_SYMBOLS = {"&": "and", "%": "percent", "@": "at", "+": "plus", "=": "equals", "°": "degrees", "½": "and a half"}
_ROMAN = re.compile(r"(?:XL|X{0,3}|LX{0,3}|XC)(?:IX|IV|V?I{0,3})")
_COUNTED = re.compile(r"(?:chapter|book|part|volume|canto|act|scene|section|letter|no\.?|page)\s+$", re.IGNORECASE)

# Every repetition is bounded, so that no token is longer than a line.
_DIGITS = r"\d{1,60}(?:,\d{3}){0,20}"
_TOKEN = re.compile(
    r"(?P<abbreviation>\b(?:" + "|".join(re.escape(a) for a in _ABBREVIATIONS if a.endswith(".")) + r"|mrs?\b|dr\b))"
    rf"|(?P<money>[$£€]{_DIGITS}(?:\.\d{{2}})?)"
    rf"|(?P<ordinal>\b{_DIGITS}(?:st|nd|rd|th)\b)"
    r"|(?P<decade>\b\d{3}0['’]?s\b)"
    r"|(?P<clock>\b(?:[01]?\d|2[0-3]):[0-5]\d\b)"
    r"|(?P<number>\d{1,3}(?:,\d{3}){1,20}(?:\.\d{1,60})?|\d{1,60}(?:\.\d{1,60})?)"
    r"|(?P<roman>(?-i:\b[IVXL]{2,12}\b))"
    r"|(?P<symbol>[&%@+=°½])"
    r"|(?P<word>[^\W\d_]{1,60}(?:['’][^\W\d_]{1,60}){0,8}['’]?)",
    re.IGNORECASE,
)
_DIGIT_NAMES = tuple(str(num2words(digit)) for digit in range(10))


def _say_digits(digits: str) -> str:
    return " ".join(_DIGIT_NAMES[int(digit)] if digit.isdecimal() else "point" for digit in digits)


def _say_number(written_number: str, _before: str = "") -> str:
    digits = written_number.replace(",", "")
    if len(digits) == 1:
        return _DIGIT_NAMES[int(digits)]
    if len(digits) > MAX_DIGITS or (len(digits) > 1 and digits[0] == "0" and "." not in digits):
        return _say_digits(digits)
    if "." in digits:
        return str(num2words(float(digits)))
    is_year = len(digits) == 4 and 1100 <= int(digits) <= 2099 and "," not in written_number
    return str(num2words(int(digits), to="year" if is_year else "cardinal"))


def _say_ordinal(written_number: str, _before: str) -> str:
    digits = re.sub(r"\D", "", written_number)
    return _say_digits(digits) if len(digits) > MAX_DIGITS else str(num2words(int(digits), to="ordinal"))


def _say_decade(written_number: str, _before: str) -> str:
    spoken = _say_number(written_number[:4])
    return spoken[:-1] + "ies" if spoken.endswith("y") else spoken + "s"


def _say_money(written_sum: str, _before: str) -> str:
    major, minor = _CURRENCIES[written_sum[0]]
    whole, _, rest = written_sum[1:].replace(",", "").partition(".")
    amount = _say_digits(whole) if len(whole) > MAX_DIGITS else num2words(int(whole))
    spoken = f"{amount} {major}{'' if amount == 'one' else 's'}"
    if rest and int(rest):
        spoken += f" and {num2words(int(rest))} {minor}{'' if minor == 'pence' or int(rest) == 1 else 's'}"
    return spoken


def _say_clock(written_time: str, _before: str) -> str:
    hour, minute = (int(part) for part in written_time.split(":"))
    if minute == 0:
        return f"{num2words(hour)} o'clock"
    return f"{num2words(hour)} {'oh ' if minute < 10 else ''}{num2words(minute)}"


def _say_roman(numeral: str, before: str) -> str:
    if not _ROMAN.fullmatch(numeral):
        return numeral
    values = {"I": 1, "V": 5, "X": 10, "L": 50}
    numbers = [values[letter] for letter in numeral]
    following = [*numbers[1:], 0]
    total = sum(-n if n < after else n for n, after in zip(numbers, following, strict=True))
    if _COUNTED.search(before):
        return str(num2words(total))
    if re.search(r"[A-Z][a-z]+\s+$", before):  # Henry VIII
        return f"the {num2words(total, to='ordinal')}"
    return str(num2words(total))


_SAY: dict[str, Callable[[str, str], str]] = {
    "abbreviation": lambda written_word, _: _ABBREVIATIONS[_fold(written_word)],
    "money": _say_money,
    "ordinal": _say_ordinal,
    "decade": _say_decade,
    "clock": _say_clock,
    "number": _say_number,
    "roman": _say_roman,
    "symbol": lambda symbol, _: _SYMBOLS[symbol],
    "word": lambda word, _: word,
}


def _fold(written_word: str) -> str:
    """Return lower case as patterns that ignore case see it: a long s is an s, i with and without a dot an i."""
    return unicodedata.normalize("NFKD", written_word.replace("ı", "i")).encode("ascii", "ignore").decode().lower()


def _letters(spoken: str) -> str:
    """Lower case, accents folded, all but letters and inner apostrophes turned into spaces."""
    spoken = spoken.replace("’", "'").replace("æ", "ae").replace("Æ", "ae").replace("œ", "oe").replace("Œ", "oe")
    plain = unicodedata.normalize("NFKD", spoken.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    words = (word.strip("'") for word in re.sub(r"[^a-z']+", " ", plain).split())
    return " ".join(word for word in words if word)


_SPACES = " \u00a0\u202f"
_AFTER_SPACE = tuple("»!?;:")  # French puts a space before them
_CLOSING = {"(": ")", "[": "]", "„": "“”", "“": "”", "«": "»", "»": "«", '"': '"'}
_MARKS = frozenset("".join((*_CLOSING, *_CLOSING.values())))


def _opens_here(text: str, at: int) -> bool:
    """True for an opening mark that belongs to the word after it, as in ``word—"next``."""
    if text[at] in "([„¿¡":
        return True
    if text[at] not in "“”‘’«»\"'":
        return False
    after = text[at + 1 :].lstrip(_SPACES if text[at] == "«" else "")[:2].lstrip("¿¡«»“„‘([\"'")[:1]
    return after.isalnum() and (at == 0 or not (text[at - 1].isalnum() or text[at - 1] in ".,!?…;:"))


def _without_lone_marks(text: str) -> str:
    """Drop quotes and brackets without a partner."""
    opened: list[int] = []
    lone: set[int] = set()
    for at, mark in enumerate(text):
        if mark not in _MARKS:
            continue
        if mark in _CLOSING and (mark in "([„" or _opens_here(text, at)):
            opened.append(at)
        elif opened and mark in _CLOSING[text[opened[-1]]]:
            opened.pop()
        else:
            lone.add(at)
    lone.update(opened)
    lone.update(at + 1 for at in opened if text[at] == "«" and text[at + 1 : at + 2] == " ")
    lone.update([at - 1 for at in lone if text[at] == "»" and text[max(0, at - 1) : at] == " "])
    return "".join(character for at, character in enumerate(text) if at not in lone).strip()
