"""Spoken forms of numbers, signs and abbreviations in the nine languages besides English, where known.

Numbers by num2words, those of Chinese by our own rule. What is written as an ordinal of Romance languages is one; a
German "3." is not separated from a sentence's end. Gender and case are the dictionary form's: enough to find words.
"""

import re
from collections.abc import Iterator

from num2words import num2words

WITHOUT_SPACES = ("zh", "ja")
MAX_DIGITS = 15  # longer numbers are read digit by digit or not at all; the text does not say
_COMMA_DECIMALS = ("de", "fr", "es", "it", "pt", "ru")
_CHINESE_DIGITS = "零一二三四五六七八九"
_SIGNS = {
    "de": {"%": "Prozent", "&": "und", "€": "Euro", "$": "Dollar", "£": "Pfund", "+": "plus", "°": "Grad"},
    "fr": {"%": "pour cent", "&": "et", "€": "euros", "$": "dollars", "£": "livres", "+": "plus", "°": "degrés"},
    "es": {"%": "por ciento", "&": "y", "€": "euros", "$": "dólares", "£": "libras", "+": "más", "°": "grados"},
    "it": {"%": "per cento", "&": "e", "€": "euro", "$": "dollari", "£": "sterline", "+": "più", "°": "gradi"},
    "pt": {"%": "por cento", "&": "e", "€": "euros", "$": "dólares", "£": "libras", "+": "mais", "°": "graus"},
    "ru": {"%": "процентов", "&": "и", "€": "евро", "$": "долларов", "£": "фунтов", "+": "плюс", "°": "градусов"},
    "ko": {"%": "퍼센트", "€": "유로", "$": "달러", "°": "도"},
    "ja": {"%": "パーセント", "€": "ユーロ", "$": "ドル", "°": "度"},
    "zh": {"€": "欧元", "$": "美元", "°": "度"},
}
_ABBREVIATIONS = {
    "de": {"dr.": "doktor", "prof.": "professor", "hr.": "herr", "fr.": "frau", "nr.": "nummer",
           "bzw.": "beziehungsweise", "usw.": "und so weiter", "z.b.": "zum beispiel", "d.h.": "das heißt",
           "st.": "sankt"},
    "fr": {"m.": "monsieur", "mme": "madame", "mlle": "mademoiselle", "dr": "docteur", "etc.": "et cetera"},
    "es": {"sr.": "señor", "sra.": "señora", "srta.": "señorita", "dr.": "doctor", "dra.": "doctora", "ud.": "usted",
           "uds.": "ustedes", "etc.": "etcétera"},
    "it": {"sig.": "signor", "sig.ra": "signora", "dott.": "dottor", "prof.": "professor", "ecc.": "eccetera"},
    "pt": {"sr.": "senhor", "sra.": "senhora", "dr.": "doutor", "dra.": "doutora", "etc.": "etcetera"},
    "ru": {"г.": "год", "т.е.": "то есть", "т.д.": "так далее", "т.п.": "тому подобное"},
}  # fmt: skip
_NUMBER = r"\d{1,3}(?:[.,\u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_ORDINAL = r"\d+(?:ers?|ères?|res?|èmes?|es?|[ºª]|°)(?!\w)"
_WORD = r"[^\W\d_]+(?:['’\-][^\W\d_]+)*"


class CannotSpell(Exception):
    """The text holds something that has no known spoken form; the message says what."""


def tokens(text: str, code: str) -> Iterator[str]:
    """Words, numbers, signs that are spoken, and abbreviations with their full stops, in order."""
    short = sorted(_ABBREVIATIONS.get(code, ()), key=len, reverse=True)
    parts = [r"(?<!\w)(?:" + "|".join(map(re.escape, short)) + r")(?!\w)"] if short else []
    parts += [_ORDINAL] if code in ("fr", "es", "it", "pt") else []
    parts += [_NUMBER, _WORD, "[" + re.escape("".join(_SIGNS[code])) + "]"]
    return (match.group() for match in re.finditer("|".join(parts), text, re.IGNORECASE))


def said(token: str, code: str) -> tuple[str, ...] | None:
    """Spoken words of a token; None for a plain word. Raises ``CannotSpell``: a number that cannot be said."""
    short = _ABBREVIATIONS.get(code, {}).get(token.lower()) or _SIGNS[code].get(token)
    if short is not None:
        return _parts(short, code)
    if not token[0].isdecimal():
        return None
    if not token[-1].isdecimal():
        return _parts(_number(re.sub(r"\D", "", token), code, "ordinal"), code)
    return _parts(_number(*_plain(token, code)), code)


def _plain(token: str, code: str) -> tuple[str, str, str]:
    """A number's digits with a point for the decimal mark, and whether it is read as a year."""
    mark = "," if code in _COMMA_DECIMALS else "."
    is_grouped = re.fullmatch(r"\d{1,3}(?:[.,\u00a0\u202f]\d{3})+", token) and mark not in token
    digits = "".join(
        "." if character == mark else character for character in token if character.isdecimal() or character == mark
    )
    if not is_grouped and mark not in token and re.search(r"[.,]", token):
        digits = re.sub(r"[.,]", ".", token)  # 3.5 in a language that writes 3,5
    is_year = code == "de" and re.fullmatch(r"1[1-9]\d\d", digits) is not None
    return digits, code, "year" if is_year else "cardinal"


def _number(digits: str, code: str, to: str) -> str:
    if len(digits) > MAX_DIGITS:
        raise CannotSpell(f"{digits} has {len(digits)} digits; write it out")
    whole, _, rest = digits.partition(".")
    try:
        if code == "zh":
            return chinese(int(whole)) + ("点" + "".join(_CHINESE_DIGITS[int(digit)] for digit in rest) if rest else "")
        return str(num2words(float(digits) if rest else int(whole), lang=code, to=to))
    except (NotImplementedError, LookupError, ArithmeticError, ValueError) as error:  # 4.094.8 is no number
        raise CannotSpell(f"{digits} cannot be spelt out in the language {code!r}; write it out") from error


def chinese(number: int) -> str:
    """A number below 10^16 in Chinese characters, as it is read: 105 is 一百零五, 12 is 十二."""
    if number == 0:
        return _CHINESE_DIGITS[0]
    for power, name in ((12, "万亿"), (8, "亿"), (4, "万"), (3, "千"), (2, "百"), (1, "十")):
        unit = 10**power
        if number >= unit:
            head, rest = divmod(number, unit)
            first = "" if (power, head) == (1, 1) else chinese(head)
            zero = "零" if rest and rest < unit // 10 else ""
            return first + name + zero + (_after_zero(rest) if zero or power > 1 else chinese(rest) if rest else "")
    return _CHINESE_DIGITS[number]


def _after_zero(rest: int) -> str:
    """Within a larger number 十 is said 一十."""
    if not rest:
        return ""
    return ("一" if 10 <= rest < 20 else "") + chinese(rest)


def _parts(spoken: str, code: str) -> tuple[str, ...]:
    if code in WITHOUT_SPACES:
        return tuple(character for character in spoken if character.isalnum())
    return tuple(spoken.replace("-", " ").lower().split())
