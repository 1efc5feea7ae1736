"""Clips and texts of an ingest against the truth: ``./run.sh bench transcript FOLDER [--whisper MODEL]``.

FOLDER holds ``book.m4b`` and ``book.txt``, the text as it is read, and may hold ``utterances.jsonl``, its parts with
``start``, ``end`` (seconds) and ``text``. Prints a line of JSON for each way: with the book's text; where a model is
given, with the book's text in what Whisper hears, with that text and the recording spoiled, and by Whisper alone,
beside one batched pass of faster-whisper. ``--languages FOLDER`` adds recordings with their texts, named by their
language: ``german.flac`` and ``german.txt``. Figures:

- ``placed``: share of the book's words that were found in the speech;
- ``wrong_clips``: clips whose text is not, word by word, in the text as it is read;
- ``false_keep_s``: seconds kept of utterances that the spoiled text lacks, or that were replaced in the recording;
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
import contextlib
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from bench.support.spoiled_recording import spoil
from jobs.asr.model_registry import CODES
from jobs.asr.wer import word_error_rate
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, read_clip, write_clip
from jobs.dataset.manifest import Clip, Rejection
from jobs.ingest_audiobook.heard_book.matching import written_words
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.work import make_clips
from jobs.text.english_normalization import SpokenWord, spoken_map
from jobs.text.sentences import find_breaks
from jobs.text.sounds import likeness
from tests.support.null_context import NullContext

EDGE_S = 0.3  # of an utterance's times, which are those of its file
_MARKED = re.compile(r"\s*[\"'”’)]*[.?!]")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="run.sh bench transcript", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--whisper", metavar="MODEL", help="faster-whisper model name or directory")
    parser.add_argument("--languages", type=Path, metavar="FOLDER", help="recordings in other languages, with texts")
    options = parser.parse_args(argv)
    audio, text = options.folder / "book.m4b", options.folder / "book.txt"
    book = " ".join(text.read_text(encoding="utf-8").split())
    report("with the book's text", measure(audio, book, text=str(text)))
    if not options.whisper:
        return 0
    whisper = {"transcript": "whisper", "whisper_model": options.whisper}
    report("the book's text in Whisper's", measure(audio, book, text=str(text), **whisper))
    report_spoiled(options.folder, book, whisper)
    report("Whisper", measure(audio, book, **whisper))
    report("one batched pass", measure_pass(audio, book, options.whisper))
    for recording in sorted(options.languages.glob("*.flac")) if options.languages else ():
        text = recording.with_suffix(".txt")
        book = " ".join(text.read_text(encoding="utf-8").split())
        report(recording.stem, measure(recording, book, text=str(text), language=recording.stem, **whisper))
        altered = alter(book, CODES[recording.stem])
        with spoiled_text(altered) as path:
            found = measure(recording, book, text=str(path), language=recording.stem, **whisper)
        report(f"{recording.stem}, altered words", found)
    return 0


def report_spoiled(folder: Path, book: str, whisper: dict[str, str]) -> None:
    """Measure with a text that lacks every fourth utterance, with altered words, and with another book."""
    audio = folder / "book.m4b"
    utterances = [json.loads(line) for line in (folder / "utterances.jsonl").read_text(encoding="utf-8").splitlines()]
    lacking = " ".join(one["text"] for number, one in enumerate(utterances) if number % 4 != 1)
    unprinted = [(one["start"], one["end"]) for number, one in enumerate(utterances) if number % 4 == 1]
    other = " ".join(random.Random(0).sample(book.split(), len(book.split())))
    for way, text in (
        ("a text without a quarter of it", lacking),
        ("altered words", alter(book, "en")),
        ("another book", other),
    ):
        with spoiled_text(text) as path:
            report(way, measure(audio, book, unprinted if text is lacking else (), text=str(path), **whisper))
    report("noise, music and another voice", measure_spoiled(audio, utterances, **whisper))


def measure_spoiled(audio: Path, utterances: Sequence[dict[str, Any]], **arguments: str) -> dict[str, Any]:
    """Ingest a recording of which parts are noise, music and another voice reading what the text lacks."""
    samples, unprinted, spans = spoil(read_clip(audio, CLIP_RATE_HZ), utterances)
    text = " ".join(one["text"] for number, one in enumerate(utterances) if number not in unprinted)
    with tempfile.TemporaryDirectory() as name, spoiled_text(text) as path:
        recording = Path(name) / "book.wav"
        write_clip(recording, samples, CLIP_RATE_HZ)
        return measure(recording, text, spans, text=str(path), **arguments)


@contextlib.contextmanager
def spoiled_text(text: str) -> Iterator[Path]:
    """Write a text to a file that lasts as long as the context."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "book.txt"
        path.write_text(text, encoding="utf-8")
        yield path


def alter(book: str, language: str) -> str:
    """Leave out a short word, or replace one by another of the text, in every twentieth word or so."""
    rng = random.Random(0)
    words = book.split()
    changed = range(10, len(words), 20)
    vocabulary = sorted({word.strip(".,;:") for word in words if word.isalpha()})
    for place in changed:
        is_short = len(words[place]) <= 3 and words[place].isalpha()
        others = [word for word in vocabulary if likeness(word, words[place], language) != "same"]
        words[place] = "" if is_short else rng.choice(others)
    return " ".join(filter(None, words))


def report(way: str, figures: dict[str, Any]) -> None:
    """Print the figures of a way."""
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
    sys.stdout.write(json.dumps({"way": way, **rounded}) + "\n")


def measure(audio: Path, book: str, unprinted: Sequence[tuple[float, float]] = (), **arguments: str) -> dict[str, Any]:
    """Ingest a recording and compare with its text as it is read; ``unprinted`` spans must not be kept."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        params = Params(audio=str(audio), voice="bench", out_dir=str(folder / "dataset"), **arguments)
        records = list(make_clips(params, NullContext(folder)).state.finished())
    cpu_s = time.process_time() - began
    clips = [clip for record in records for clip in record.clips]
    rejections = [rejection for record in records for rejection in record.rejections]
    texts = [clip.text for clip in clips]
    code = CODES[params.language]
    figures: dict[str, Any] = {
        "clips": len(clips),
        "median_s": statistics.median([seconds(clip) for clip in clips] or [0.0]),
        "speech_kept": kept_share(clips, rejections),
        "cpu_s": cpu_s,
    }
    if code == "en":
        figures |= compare(book, texts)
    if "text" in arguments:
        figures |= {
            "placed": sum(len(written_words(text, code)) for text in texts) / len(written_words(book, code)),
            "wrong_clips": sum(not is_within(text, book, code) for text in texts),
            "in_sentences": share_in_sentences(book, clips, params.max_clip_s, code),
        }
    if unprinted:
        figures["false_keep_s"] = sum(
            max(0.0, min(clip.source.end_s, end - EDGE_S) - max(clip.source.start_s, start + EDGE_S))
            for clip in clips
            if clip.source is not None
            for start, end in unprinted
        )
    return figures


def is_within(text: str, book: str, code: str) -> bool:
    """Return whether the words of a text follow each other in the book."""
    words, all_words = ([word.word for word in written_words(each, code)] for each in (text, book))
    return f" {' '.join(words)} " in f" {' '.join(all_words)} "


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


def share_in_sentences(book: str, clips: Sequence[Clip], max_s: float, code: str) -> float:
    """Return the share of seconds in clips that begin and end where a sentence or, in a long one, a clause does."""
    breaks = find_breaks(book, code)
    kept_s = sum(map(seconds, clips))
    if not clips:
        return 0.0
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
    return kept_s / max(kept_s + lost_s, 1e-9)


def seconds(clip: Clip) -> float:
    """Return the length of a clip."""
    return clip.duration_s or 0.0


if __name__ == "__main__":
    sys.exit(main())
