"""A page of prose is known by its small words or its script; a text that could be of two languages is not judged."""

from __future__ import annotations

import pytest

from jobs.errors import UserError
from jobs.text.text_language import find_language, refuse_other_language

PROSE = {
    "english": "The bird saw that there was water in the jar, but it was so low that he did not reach it. ",
    "german": "Der Vogel sah, dass Wasser in dem Krug war, aber es stand so tief, dass er es nicht fand. ",
    "french": "Il y avait de l'eau dans la cruche, mais le bec de l'oiseau ne la touchait pas au fond. ",
    "spanish": "El ave vio que en la jarra no quedaba mucha agua, y que con su pico no llegaba a ella. ",
    "italian": "Il corvo vide che nella brocca non era rimasta molta acqua e che non la toccava di certo. ",
    "portuguese": "O corvo viu que o jarro estava muito em baixo e que com o bico não o tocava por mais. ",
    "russian": "Ворон увидел воду в кувшине. ",
    "chinese": "乌鸦看见瓶子里有水。",
    "japanese": "からすは水を見た。",
    "korean": "까마귀가 물을 보았다. ",
}


@pytest.mark.parametrize("language", PROSE)
def test_each_of_the_ten_languages_is_known(language: str) -> None:
    assert find_language(PROSE[language] * 20) == language
    refuse_other_language(PROSE[language] * 20, language)
    refuse_other_language(PROSE[language] * 20, "auto")
    for other in PROSE.keys() - {language}:
        with pytest.raises(UserError, match=f"in {language.title()}") as refused:
            refuse_other_language(PROSE[language] * 20, other)
        assert refused.value.code == "text_language"
        assert f"language={language}" in refused.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        PROSE["german"],  # too short
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed eiusmod tempor incididunt labore. " * 20,
        PROSE["english"] * 20 + PROSE["german"] * 30,  # side by side
        "1 2 3 4 5 " * 500,
    ],
)
def test_what_is_short_mixed_or_unknown_is_not_refused(text: str) -> None:
    for language in PROSE:
        if language in ("english", "german"):
            refuse_other_language(text, language)
