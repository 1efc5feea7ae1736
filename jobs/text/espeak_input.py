"""Text for espeak-ng's library: letters of scripts that it speaks, in words of bounded length.

Version 1.52 writes beyond its buffers at words of some hundred letters, at symbols that it spells out, and at words
that change their script many times; the system then ends its process. Such text is no speech of any book. Most of it
is kept from the library here; what is left ends ``jobs.text.espeak_process`` and no job.
"""

import functools
import unicodedata
from itertools import groupby

MOST_LETTERS = 40  # of a word; longer ones are cut
MARKS = ".,;:!?"
JOINTS = "'’-"
_SCRIPTS = {
    "LATIN": "latin", "CYRILLIC": "cyrillic", "HANGUL": "hangul", "HIRAGANA": "kana", "KATAKANA": "kana",
    "KATAKANA-HIRAGANA": "kana", "CJK": "han", "DIGIT": "digit",
}  # fmt: skip


def speakable(text: str) -> str:
    """Return a text with other symbols left out, words cut at the limit, and a space where the script changes."""
    written: list[str] = []
    script, n_letters = "", 0
    for kind, run in groupby(unicodedata.normalize("NFC", text), _kind):
        letters = "".join(run)
        if not kind:
            script, n_letters = "", 0
            written.append(" ")
            continue
        if kind in ("mark", "joint"):
            letters = letters[0]
        elif script not in ("", kind):
            n_letters = MOST_LETTERS
        script = script if kind in ("mark", "joint") else kind
        for at in range(0, len(letters), MOST_LETTERS):
            piece = letters[at : at + MOST_LETTERS]
            if n_letters + len(piece) > MOST_LETTERS:
                written.append(" ")
                n_letters = 0
            written.append(piece)
            n_letters += len(piece)
    return "".join(written)


@functools.lru_cache(maxsize=50_000)
def _kind(character: str) -> str:
    """Return the script of a letter, ``mark``, ``joint``, or nothing for spaces and symbols."""
    if character in MARKS:
        return "mark"
    if character in JOINTS:
        return "joint"
    return _SCRIPTS.get(unicodedata.name(character, "").partition(" ")[0], "")
