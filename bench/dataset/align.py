"""Accuracy of word timing: ``./run.sh bench align [FOLDER …]``.

FOLDER holds ``book.m4b``, ``book.txt`` and ``utterances.jsonl`` (start, end and text of each utterance, to the
millisecond). Without one: the sample audiobook, and the same text spoken by espeak-ng. Prints one JSON object a book:
errors in milliseconds, and seconds of audio per second of CPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.word_timing import SAMPLES, espeak_book, measure, read_utterances, sample_utterances


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench align", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    options = parser.parse_args(argv)
    for book in options.folders or [None, "espeak"]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if isinstance(book, Path):
                audio, text, truth = book / "book.m4b", book / "book.txt", read_utterances(book / "utterances.jsonl")
            elif book:
                text = SAMPLES / "fables.txt"
                audio, truth = espeak_book(text, folder)
            else:
                audio, text = SAMPLES / "fables.m4b", SAMPLES / "fables.txt"
                truth = sample_utterances(text, audio)
            print(json.dumps({"book": str(book or "sample"), **measure(audio, text, truth, folder)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
