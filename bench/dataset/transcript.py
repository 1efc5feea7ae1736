"""Clips and texts of an ingest against the truth: ``./run.sh bench transcript FOLDER [--whisper MODEL]``.

FOLDER holds ``book.m4b`` and ``book.txt``, the text as it is read. Prints a line of JSON for each way: with the book's
text, and by Whisper alone where a model is given, beside one batched pass of faster-whisper over it. Figures:

- ``wer``: word error rate of all kept texts, in order, against the book's spoken words;
- ``false_ends``: sentence marks after words where the book has none, and how many sentence ends the text has;
- ``clips_with_false_end``: clips that end in such a mark;
- ``in_sentences``: share of kept seconds in clips that begin and end with a sentence of the book (with a clause, where
  the sentence is longer than ``max_clip_s`` by the narrator's mean pace), for clips with the book's text;
- ``speech_kept``: share of the seconds that are no silence;
- ``cpu_s``: processor time, with the model's loading.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from jobs.asr.wer import word_error_rate
from jobs.audio.clip_io import SPEECH_RATE_HZ, read_clip
from jobs.dataset.manifest import Clip, Rejection
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.work import make_clips
from jobs.text.english_normalization import SpokenWord, spoken_map
from jobs.text.sentences import find_breaks
from tests.support.null_context import NullContext

_MARKED = re.compile(r"\s*[\"'”’)]*[.?!]")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="run.sh bench transcript", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--whisper", metavar="MODEL", help="faster-whisper model name or directory")
    options = parser.parse_args(argv)
    audio, text = options.folder / "book.m4b", options.folder / "book.txt"
    book = " ".join(text.read_text(encoding="utf-8").split())
    report("with the book's text", measure(audio, book, text=str(text)))
    if options.whisper:
        report("Whisper", measure(audio, book, transcript="whisper", whisper_model=options.whisper))
        report("one batched pass", measure_pass(audio, book, options.whisper))
    return 0


def report(way: str, figures: dict[str, Any]) -> None:
    """Print the figures of a way."""
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
    sys.stdout.write(json.dumps({"way": way, **rounded}) + "\n")


def measure(audio: Path, book: str, **arguments: str) -> dict[str, Any]:
    """Ingest a recording and compare with its text."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        params = Params(audio=str(audio), voice="bench", out_dir=str(folder / "dataset"), **arguments)
        records = list(make_clips(params, NullContext(folder)).state.finished())
    cpu_s = time.process_time() - began
    clips = [clip for record in records for clip in record.clips]
    rejections = [rejection for record in records for rejection in record.rejections]
    texts = [clip.text for clip in clips]
    figures: dict[str, Any] = {
        "clips": len(clips),
        "median_s": statistics.median(seconds(clip) for clip in clips),
        "speech_kept": kept_share(clips, rejections),
        **compare(book, texts),
        "cpu_s": cpu_s,
    }
    if "text" in arguments:
        figures["in_sentences"] = share_in_sentences(book, clips, params.max_clip_s)
    return figures


def measure_pass(audio: Path, book: str, model: str) -> dict[str, Any]:
    """Transcribe a recording by faster-whisper's own batched pass and compare with its text."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    samples = read_clip(audio, SPEECH_RATE_HZ)
    began = time.process_time()
    whisper = BatchedInferencePipeline(WhisperModel(model, device="auto", compute_type="int8"))
    segments, _ = whisper.transcribe(samples, language="en", batch_size=4)
    text = " ".join(segment.text.strip() for segment in segments)
    return {**compare(book, [text]), "cpu_s": time.process_time() - began}


def compare(book: str, texts: Sequence[str]) -> dict[str, Any]:
    """Compare texts in their order with the book's."""
    heard = " ".join(texts)
    true_words, words = spoken_map(book), spoken_map(heard)
    ends_of_texts = set()
    at = 0
    for text in texts:
        at += len(text)
        ends_of_texts.add(at)
        at += 1
    false, right, at_clip_ends = 0, 0, 0
    for true_word, word in matched(true_words, words):
        if not _MARKED.match(heard, word.end):
            continue
        if _MARKED.match(book, true_word.end):
            right += 1
        else:
            false += 1
            at_clip_ends += any(0 <= end - word.end <= 2 for end in ends_of_texts)
    return {
        "wer": word_error_rate([word.word for word in true_words], [word.word for word in words]),
        "right_ends": right,
        "false_ends": false,
        "clips_with_false_end": at_clip_ends,
    }


def matched(true_words: Sequence[SpokenWord], words: Sequence[SpokenWord]) -> Iterator[tuple[SpokenWord, SpokenWord]]:
    """Pair the words that a text has in common with the book's, in order."""
    for code in Levenshtein.opcodes([word.word for word in true_words], [word.word for word in words]):
        if code.tag in ("equal", "replace"):
            yield from zip(
                true_words[code.src_start : code.src_end], words[code.dest_start : code.dest_end], strict=False
            )


def share_in_sentences(book: str, clips: Sequence[Clip], max_s: float) -> float:
    """Return the share of seconds in clips that begin and end where a sentence or, in a long one, a clause does."""
    breaks = find_breaks(book, "en")
    kept_s = sum(map(seconds, clips))
    seconds_per_character = kept_s / sum(len(clip.text) for clip in clips)
    bounds = [0, *breaks.sentences]
    whole_s, position = 0.0, 0
    for clip in clips:
        start = book.find(clip.text, position)
        if start < 0:
            continue
        position = end = start + len(clip.text)
        whole_s += seconds(clip) * all(
            is_bound(place, bounds, breaks.clauses, max_s / seconds_per_character) for place in (start, end)
        )
    return whole_s / kept_s


def is_bound(place: int, sentences: Sequence[int], clauses: Sequence[int], longest: float) -> bool:
    """Return whether a sentence ends at a character, or a clause of a sentence longer than ``longest`` characters."""
    if any(0 <= place - end <= 2 for end in sentences):
        return True
    before = max((end for end in sentences if end < place), default=0)
    after = min((end for end in sentences if end >= place), default=place)
    return after - before > longest and any(0 <= place - end <= 2 for end in clauses)


def kept_share(clips: Sequence[Clip], rejections: Sequence[Rejection]) -> float:
    """Return the share of the seconds kept of those that are no silence."""
    kept_s = sum(map(seconds, clips))
    lost_s = sum(one.source.end_s - one.source.start_s for one in rejections if one.reason != "silence")
    return kept_s / (kept_s + lost_s)


def seconds(clip: Clip) -> float:
    """Return the length of a clip."""
    return clip.duration_s or 0.0


if __name__ == "__main__":
    sys.exit(main())
