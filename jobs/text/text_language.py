"""Language of a text by its script and its commonest small words. stdlib only.

It knows a page of prose in the ten languages of the models; a sentence is too little for it.
"""

import re
from collections import Counter
from collections.abc import Mapping

from jobs.errors import UserError
from jobs.param_types import AUTO

READ_CHARACTERS = 200_000
MIN_WORDS = 50
MIN_SHARE = 0.15  # of the small words among all: prose has 0.3 to 0.45 in its own language
FEWER = 1.5  # times fewer of the given language's words; related languages share some
MIN_SCRIPT = 0.3  # of the letters; Japanese mixes kana with Chinese characters

SCRIPTS = {
    "korean": re.compile("[\uac00-\ud7a3]"),
    "japanese": re.compile("[\u3040-\u30ff]"),
    "chinese": re.compile("[\u4e00-\u9fff]"),
    "russian": re.compile("[\u0400-\u04ff]"),
}
SMALL_WORDS = {
    "english": "the of and to in is was that it with for as had you not be her on at by which have or from this but",
    "german": "der die und das ist nicht ich zu den mit sich auf ein eine er sie es dem von war im auch als wie noch",
    "french": "le la les et des est que dans une il elle ne pas qui un pour sur du au ce se plus par avec je de mais",
    "spanish": "el la los las que y en de un una no se por con su lo como más para del al le había era",
    "italian": "il di che e la non un una per è con si del della le gli sono da nel lo ma i al come era",
    "portuguese": "o a de que e do da em um uma não os as se com para por no na ao como mais ele era seu",
}
_SMALL = {language: frozenset(words.split()) for language, words in SMALL_WORDS.items()}
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")


def find_language(text: str) -> str | None:
    """Return the language of a text; None: too short, mixed, or none of the ten."""
    return _find(text[:READ_CHARACTERS], _share_of_small_words(text[:READ_CHARACTERS]))


def _find(text: str, shares: Mapping[str, float]) -> str | None:
    n_letters = len(_LETTER.findall(text))
    for language, script in SCRIPTS.items():
        if n_letters >= MIN_WORDS and len(script.findall(text)) > MIN_SCRIPT * n_letters:
            return language
    best = max(shares, key=lambda language: shares[language], default=None)
    return best if best is not None and shares[best] >= MIN_SHARE else None


def refuse_other_language(text: str, language: str) -> None:
    """Check that a text is not surely of another language than the one that was given.

    Raises:
        UserError: ``text_language``.
    """
    text = text[:READ_CHARACTERS]
    shares = _share_of_small_words(text)
    found = _find(text, shares)
    if found is None or language in (AUTO, found):
        return
    if found in SCRIPTS or language in SCRIPTS or shares[language] * FEWER <= shares[found]:
        raise UserError(
            "text_language",
            f"The text is in {found.title()}, and language is {language}: no word of it would be found in the speech.",
            f"Give language={found} if the recording is in {found.title()}, else the text of the recording.",
        )


def _share_of_small_words(text: str) -> dict[str, float]:
    words = Counter(_WORD.findall(text.lower()))
    n_words = words.total()
    if n_words < MIN_WORDS:
        return {}
    return {language: sum(words[word] for word in small) / n_words for language, small in _SMALL.items()}
