"""Word error rate of a take against its text, offline and in English, by biased recognition.

The recogniser need only decide "these words or others", so a good take has 0.00 (median of real narration), another
sentence 0.97. It is no proof of diction: noise at 10 dB and 4 kHz telephone sound stay under 0.1.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

from jobs.asr.pocketsphinx_asr import MAX_RECOGNISE_S, Recogniser
from jobs.audio.clip_io import SPEECH_RATE_HZ, Samples

N_DISTRACTORS = 400

# Distractors of last resort: a manifest of eight sentences has too few other words to mishear.
COMMON_WORDS = """
    a about after again all always am an and another any are as ask at away back be because been before began
    being best better between big both bring but by call came can change child children city close cold come could
    country day days did different do does done door down each early earth end enough even ever every eye eyes face
    family far father feel feet few find fire first five follow food for found four friend from gave get give given
    go good great green group grow had half hand hard has have he head hear heard help her here high him his home
    hope hour house how hundred i idea if in into is it its just keep kind knew know land large last late learn leave
    left less let letter life light like line little live long look made make man many may me mean men might mind
    miles money more morning most mother mountain move much must my name near need never new next night no north not
    now number of off often old on once one only open or order other our out over own page paper part people place
    plan plant play point put question quick quite rain ran read ready real red rest right river road room round run
    said same saw say school sea second see seem sentence set several she short should show side simple since small
    snow so some something song soon sound south spell stand start state stay still stood stop story street strong
    such sun sure table take talk tell ten than that the their them then there these they thing things think this
    those though thought thousand three through time to today together told too took town travel tree true try turn
    two under until up upon us use usually very voice walk want war warm was watch water way we week well went were
    west what wheel when where which while white who whole why wide will wind window with without woman women wood
    word words work world would write year years yes yet you young your"""


def distractors(texts: Iterable[Sequence[str]]) -> list[str]:
    """Choose words that may be misheard instead of the right ones: those of other texts first, then common ones.

    ``texts`` do not change between runs (the narrator's), so that the result does not either.
    """
    words = dict.fromkeys(word for text in texts for word in text)
    return sorted(list(dict.fromkeys([*words, *COMMON_WORDS.split()]))[:N_DISTRACTORS])


def heard_words(recogniser: Recogniser, audio_16k: Samples, words: Sequence[str], others: Iterable[str]) -> list[str]:
    """Return the words that a recogniser hears when it expects ``words``; audio over a minute is divided first."""
    listener = recogniser.for_text(words, others)
    return [word for chunk in _chunks(audio_16k) for word in listener.recognise(chunk)]


def word_error_rate(reference: Sequence[str], heard: Sequence[str]) -> float:
    """Return substitutions, deletions and insertions per word of the reference; over 1 when much was inserted."""
    return Levenshtein.distance(reference, heard) / max(1, len(reference))


def _chunks(audio_16k: Samples) -> list[Samples]:
    """Cut the audio at the quietest tenth of a second in the ten seconds before each limit."""
    limit, search, tenth = int(MAX_RECOGNISE_S * SPEECH_RATE_HZ), 10 * SPEECH_RATE_HZ, SPEECH_RATE_HZ // 10
    chunks = []
    rest = audio_16k
    while len(rest) > limit:
        window = rest[limit - search : limit]
        energy = np.square(window[: len(window) // tenth * tenth]).reshape(-1, tenth).sum(axis=1)
        cut = limit - search + int(np.argmin(energy)) * tenth + tenth // 2
        chunks.append(rest[:cut])
        rest = rest[cut:]
    return [*chunks, rest]
