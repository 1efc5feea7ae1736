"""Comparison of two writings by their sound: do they sound the same, or nearly the same, in one of the ten languages?

Sounds are espeak-ng's, without stress, length, doubled consonants and borders of words. Vowels that many speakers do
not distinguish are one sound.
"""

import functools
import re
import unicodedata
from typing import Literal

from rapidfuzz.distance import Levenshtein

from jobs.text.english_normalization import spoken_words
from jobs.text.espeak import espeak
from jobs.text.multilingual_normalization import CannotSpell, said, tokens

Likeness = Literal["same", "near", "other"]

VOICES = {
    "en": "en-us", "de": "de", "fr": "fr", "es": "es", "it": "it", "pt": "pt-br", "ru": "ru", "ko": "ko", "ja": "ja",
    "zh": "cmn",
}  # fmt: skip
# Pairs that sound the same to many: the first is replaced by the second.
_SAME = {"de": {"ɾ": "r"}, "fr": {"e": "ɛ", "o": "ɔ", "œ": "ø"}, "es": {"ʎ": "ʝ", "θ": "s"}}
# Pairs that differ little in running speech.
_NEAR = {
    "de": {"ɪ": "i", "ʏ": "y", "ʊ": "u", "ɛ": "e", "ɔ": "o", "œ": "ø", "ɜ": "ə"},
    "fr": {"ə": "ø"},
    # an accent that Whisper leaves out makes one syllable of two: "via" of "vía"
    "es": {"j": "i", "w": "u"},
    "it": {"j": "i", "w": "u"},
    "pt": {"j": "i", "w": "u"},
}
_DROPPED = re.compile(r"\([a-z-]+\)|[ˈˌː\s_\u200d|\-]")  # (en)…(de): espeak-ng changed its voice for a word
_DOUBLED = re.compile(r"([bdfghjklmnprstvzŋɡʁɾɹʃʒçxθðβɣ])\1+")  # consonants: of "allaà" both are said
_MERGED = re.compile(r"[sz]+(?=[szʃʒ])")  # of "forms should" the first is not heard
MIN_LIKENESS = 0.85  # of the sounds of a phrase of which every word was heard otherwise
MIN_PHRASE_WORDS = 3  # one or two words may be read wrong as near-sounding ones, not three


def likeness(one: str, other: str, language: str) -> Likeness:
    """Compare the sound of two writings of a word or a phrase in a language (two-letter code)."""
    first, second = (_sounds(text, language) for text in (one, other))
    if not first or not second:
        return "other"
    if first == second:
        return "same"
    return "near" if _blurred(first, language) == _blurred(second, language) else "other"


def is_like_phrase(one: str, other: str, language: str) -> bool:
    """Return True for phrases of other words, three and more, that sound nearly the same: misheard, not misread."""
    first, second = (_blurred(_sounds(text, language), language) for text in (one, other))
    is_phrase = min(len(one.split()), len(other.split())) >= MIN_PHRASE_WORDS
    return is_phrase and Levenshtein.normalized_similarity(first, second) >= MIN_LIKENESS


def _blurred(sounds: str, language: str) -> str:
    return _MERGED.sub("", _replaced(sounds, _NEAR.get(language, {})))


@functools.lru_cache(maxsize=4_000)
def _sounds(text: str, language: str) -> str:
    """Return the sounds of a text; empty where espeak-ng does not know them: Japanese in Chinese characters."""
    if language == "ja" and any("\u4e00" <= character <= "\u9fff" for character in text):
        return ""
    ipa = espeak().ipa(_spelt(text, language), VOICES[language])
    plain = _DROPPED.sub("", unicodedata.normalize("NFC", ipa))
    return _DOUBLED.sub(r"\1", _replaced(plain, _SAME.get(language, {})))


def _spelt(text: str, language: str) -> str:
    """Return a text whose numbers and abbreviations are written out as they are said."""
    if language == "en":
        return " ".join(spoken_words(text))
    words: list[str] = []
    for token in tokens(re.sub(r"\b(\w)\. (?=\w\.)", r"\1.", text), language):
        try:
            words += said(token, language) or (token,)
        except CannotSpell:
            words.append(token)
    return " ".join(words)


def _replaced(sounds: str, pairs: dict[str, str]) -> str:
    return "".join(pairs.get(sound, sound) for sound in sounds)
