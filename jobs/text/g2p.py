"""Pronunciations of words that no dictionary has: espeak-ng's library says IPA, a table makes CMU phones of it.

Foreign names come out English, which is good enough to find them in audio.
"""

import functools
import re

from jobs.text.espeak import espeak

VOICE = "en-us"

# espeak-ng's en-us IPA to the 39 phones of the CMU dictionary; the longest key wins.
# Own table, 2026; no symbol was left over on 27 rare words of two books (facts: maintz, sweynheim, mak'st …).
_CMU = {
    "t͡ʃ": "CH", "tʃ": "CH", "d͡ʒ": "JH", "dʒ": "JH", "aɪə": "AY AH", "aɪɚ": "AY ER", "eɪ": "EY", "aɪ": "AY",
    "aʊ": "AW", "ɔɪ": "OY", "oʊ": "OW", "əʊ": "OW", "ɪɹ": "IH R", "ʊɹ": "UH R", "ɔːɹ": "AO R", "oːɹ": "AO R",
    "ɑːɹ": "AA R", "ɛɹ": "EH R", "ɜː": "ER", "iə": "IY AH", "əl": "AH L", "ɐ": "AH", "ɚ": "ER", "ɝ": "ER",
    "ɹ": "R", "ɾ": "D", "θ": "TH", "ð": "DH", "ʃ": "SH", "ʒ": "ZH", "ŋ": "NG", "ɡ": "G", "g": "G", "j": "Y",
    "iː": "IY", "i": "IY", "uː": "UW", "u": "UW", "ɪ": "IH", "ᵻ": "IH", "ʊ": "UH", "ɛ": "EH", "e": "EH",
    "æ": "AE", "ʌ": "AH", "ə": "AH", "ɔː": "AO", "ɔ": "AO", "ɑː": "AA", "ɑ": "AA", "a": "AE", "oː": "OW",
    "o": "OW", "ɒ": "AA", "x": "K", "ʔ": "T", "l": "L", "m": "M", "n": "N", "r": "R", "p": "P", "b": "B",
    "t": "T", "d": "D", "k": "K", "f": "F", "v": "V", "s": "S", "z": "Z", "h": "HH", "w": "W", "ç": "HH",
    "ɬ": "L", "ɲ": "N Y", "y": "UW", "ø": "ER", "œ": "ER", "ɣ": "G", "β": "V", "c": "K", "q": "K",
}  # fmt: skip
_SYMBOL = re.compile("|".join(sorted(map(re.escape, _CMU), key=len, reverse=True)))


@functools.lru_cache(maxsize=20_000)
def pronounce(word: str) -> tuple[str, ...]:
    """CMU phones of one English word (``a-z`` and ``'``); never empty.

    Raises ``ValueError``: the word holds nothing that can be said.
    """
    ipa = espeak().ipa(word, VOICE)
    phones = tuple(phone for symbol in _SYMBOL.findall(_plain(ipa)) for phone in _CMU[symbol].split())
    if not phones:
        raise ValueError(f"no pronunciation for {word!r} (espeak-ng says {ipa!r})")
    return phones


def _plain(ipa: str) -> str:
    ipa = re.sub(r"\([a-z-]+\)", "", ipa)  # (en)…(de): espeak-ng changed its voice for a foreign word
    return re.sub(r"[ˈˌ\s_\u200d|̩]", "", ipa)
