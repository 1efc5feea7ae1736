"""Training data of the toy codec: flite's voice slt reading prose and random words, 24 kHz at rms 0.1."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

from samples.make_sample import SAMPLE_RATE_HZ, SPEECH_RMS, chapters_of, speak

WORDS_PER_LINE = 7
HELD_OUT = Path(__file__).resolve().parent.parent / "fables.txt"

Samples = NDArray[np.float32]


def training_speech(minutes: float, seed: int = 0) -> tuple[list[Samples], float]:
    """Speak until there are ``minutes`` of speech.

    Returns:
        Utterances, and the gain that brought them to rms 0.1.
    """
    lines = training_lines(random.Random(seed))
    utterances: list[Samples] = []
    while sum(map(len, utterances)) < minutes * 60 * SAMPLE_RATE_HZ:
        utterances.append(speak(next(lines)))
    gain = SPEECH_RMS / float(np.sqrt(np.mean(np.concatenate(utterances) ** 2)))
    return [utterance * gain for utterance in utterances], gain


def held_out_speech(gain: float) -> list[Samples]:
    """The sentences of the sample audiobook, none of which is trained on."""
    text = HELD_OUT.read_text(encoding="utf-8")
    return [speak(sentence) * gain for chapter in chapters_of(text) for sentence in chapter]


def training_lines(rng: random.Random) -> Iterator[str]:
    """Prose and lines of random dictionary words by turns: natural rhythm, and every pair of sounds.

    The prose is Python's own help, which every machine has.
    """
    prose = re.sub(r"[^A-Za-z.,;:!? ]+", " ", " ".join(topics[name] for name in sorted(topics)))
    sentences = [re.sub(r"\s+", " ", part).strip() for part in re.split(r"(?<=[.;:!?])\s+", prose)]
    sentences = [sentence for sentence in sentences if 25 < len(sentence) < 140]
    rng.shuffle(sentences)
    dictionary = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    words = [line.split()[0] for line in dictionary.read_text().splitlines() if re.match(r"[a-z]{3,11} ", line)]
    while True:
        for sentence in sentences:
            yield sentence
            yield " ".join(rng.sample(words, WORDS_PER_LINE)).capitalize() + "."
