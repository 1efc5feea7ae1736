"""espeak-ng's library given what no book says: words that it has no buffers for."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from jobs.settings import PROJECT_ROOT
from jobs.text.espeak_input import MOST_LETTERS, speakable
from jobs.text.sounds import VOICES

PARTS = ["ness", "s's", "s", "w", "es", "ß", "щ", "뷁", "的x", "ー", "1", "A.", "ก็ข", "́̈", "😀", "%$", "ſﬁ", "क्", "-'"]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Der Mann, der lief!", "Der Mann, der lief!"),
        ("l’été de mes dix-sept ans", "l’été de mes dix-sept ans"),
        ("e\u0301te\u0301", "été"),
        ("日本語のテキスト", "日本語 のテキスト"),
        ("ein iPhone — für 100 €", "ein iPhone für 100"),
        ("мой iPhone", "мой iPhone"),
        ("a" * 100, f"{'a' * 40} {'a' * 40} {'a' * 20}"),
        ("wait...!!", "wait."),
    ],
)  # fmt: skip
def test_honest_text_is_spoken_as_it_is_written(text: str, spoken: str) -> None:
    assert " ".join(speakable(text).split()) == spoken


def test_no_word_is_longer_than_the_limit_with_joints_too() -> None:
    words = speakable("s'" * 300 + " " + "a-" * 300 + "A." * 300 + "ю" * 90).split()

    assert max(map(len, words)) <= MOST_LETTERS


def test_the_library_lives_through_words_that_overflow_its_buffers() -> None:
    rng = random.Random(5)
    texts = [part * n for part in PARTS for n in (1, 40, 70, 300)]
    texts += ["".join(rng.choices(PARTS, k=rng.randrange(1, 200))) for _ in range(60)]
    code = (
        "import json, sys\nfrom jobs.text.espeak import espeak\n"
        "for voice, text in json.load(sys.stdin): espeak().ipa(text, voice)\nprint('alive')"
    )
    given = json.dumps([(voice, text) for text in texts for voice in VOICES.values()])
    done = subprocess.run(
        [sys.executable, "-c", code], input=given, capture_output=True, text=True, cwd=PROJECT_ROOT, check=False
    )

    assert (done.returncode, done.stdout) == (0, "alive\n")
