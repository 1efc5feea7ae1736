"""Accuracy of word timing: ingest and align a book offline, and compare with known utterance times.

Utterance times come from ``utterances.jsonl``, from the digital silence between the sentences of the sample, or from
espeak-ng's library, which reports the start of every word it speaks.
"""

from __future__ import annotations

import ctypes
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.align.align_clip import join_spoken_words
from jobs.align.aligners import PocketsphinxAligner
from jobs.align.params import Params as AlignParams
from jobs.align.word_boundaries import FRAMES_PER_S, Levels, compute_levels_db, fit_to_audio, words_level_db
from jobs.align.word_mapping import written_words
from jobs.align.work import run as align
from jobs.asr.whisperx_alignment import CannotAlign
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, Samples, read_clip, write_clip
from jobs.audio.resampling import resample
from jobs.dataset.manifest import Clip, Word, read_rows
from jobs.ingest_audiobook.params import Params as IngestParams
from jobs.ingest_audiobook.params import Result as IngestResult
from jobs.ingest_audiobook.work import run as ingest
from jobs.settings import PROJECT_ROOT
from tests.support.null_context import NullContext

SAMPLES = PROJECT_ROOT / "samples"
FAR_S = 0.3
WITHIN_WORD_S = 0.03  # a border so far inside a word cuts it
PAUSE_S = 0.6


@dataclass(frozen=True)
class Utterance:
    """Text spoken from ``start_s`` to ``end_s`` of a book; ``starts_s``: start of each written word, where known."""

    start_s: float
    end_s: float
    text: str
    starts_s: tuple[float, ...] = ()


def measure(
    audio: Path, text: Path, truth: Sequence[Utterance], folder: Path, ingested: IngestResult | None = None
) -> dict[str, Any]:
    """Ingest and align a book in ``folder`` and compare with the truth; with ``ingested`` that is done already."""
    context: Any = NullContext(folder)
    if ingested is None:
        params = IngestParams(audio=str(audio), text=str(text), voice="bench", out_dir=str(folder / "dataset"))
        ingested = ingest(params, context)
    began = time.process_time()
    aligned = align(AlignParams(manifest=ingested.manifest, aligner="pocketsphinx"), context)
    cpu_s = time.process_time() - began
    rows = list(read_rows(Path(aligned.manifest), Clip))
    figures = compare(rows, truth, read_clip(audio, SPEECH_RATE_HZ))
    kept_s = sum(row.duration_s or 0 for row in rows)
    return {"audio_s": round(ingested.recording_s, 1), **figures, "align_audio_s_per_cpu_s": round(kept_s / cpu_s, 1)}


def compare(rows: Sequence[Clip], truth: Sequence[Utterance], samples_16k: Samples) -> dict[str, Any]:
    """Figures of aligned clips against what is known of their recording.

    The reference for single words is their true start where it is known, else a forced alignment of each utterance
    alone between its true bounds; where that fails there is none.
    """
    reference = _reference(truth, samples_16k)
    spoken = [word for utterance in reference for word in utterance]
    unknown = [utterance for utterance, words in zip(truth, reference, strict=True) if not words]
    levels = compute_levels_db(samples_16k)
    off_s: list[float] = []
    wrong, n_cut, n_placed = [], 0, 0
    placed: list[Word] = []
    for row in rows:
        assert row.source is not None
        assert row.words is not None
        start_s, end_s = row.source.start_s, row.source.end_s
        words = [_moved(word, start_s) for word in row.words]
        placed += words
        if any(start_s < (each.start_s + each.end_s) / 2 < end_s for each in unknown):
            continue
        inside = [word for word in spoken if start_s <= _sounding_point(word) <= end_s]
        if [_letters(word.word) for word in words] != [_letters(word.word) for word in inside]:
            wrong.append(row.text)
            continue
        n_placed += len(words)
        off_s += [abs(a.start_s - b.start_s) for a, b in zip(words, inside, strict=True)]
        n_cut += sum(_cuts(border, spoken, levels) for border in (start_s, end_s))
    starts_ms, ends_ms = _edges(placed, truth)
    return {
        "utterances_without_reference": len(unknown),
        "words": len(spoken),
        "words_placed": n_placed,
        "share_placed": round(n_placed / len(spoken), 4),
        "wrong_texts": wrong,
        "words_cut_by_a_border": n_cut,
        "words_over_0.3_s_off": sum(bool(value > FAR_S) for value in off_s),
        "word_start_ms": _spread([1000 * value for value in off_s]),
        "utterance_start_ms": _spread(starts_ms),
        "utterance_end_ms": _spread(ends_ms),
    }


def _sounding_point(word: Word) -> float:
    """A moment within the word's sound: the aligner may draw its start out over the silence before it."""
    return max((word.start_s + word.end_s) / 2, word.end_s - 0.08)


def _cuts(border_s: float, words: Sequence[Word], levels: Levels) -> bool:
    """True for a border inside a word, where there is sound: within 30 dB of the louder quarter of all words."""
    is_inside = any(word.start_s + WITHIN_WORD_S < border_s < word.end_s - WITHIN_WORD_S for word in words)
    at = int(border_s * FRAMES_PER_S)
    return is_inside and bool(levels[max(0, at - 1) : at + 1].max() > words_level_db(levels, words) - 30.0)


def _reference(truth: Sequence[Utterance], samples_16k: Samples) -> list[list[Word]]:
    aligner = PocketsphinxAligner()
    found = []
    for utterance in truth:
        first = max(0.0, utterance.start_s - 0.1)
        audio = samples_16k[int(first * SPEECH_RATE_HZ) : int((utterance.end_s + 0.1) * SPEECH_RATE_HZ)]
        written = written_words(utterance.text, "en")
        if len(utterance.starts_s) == len(written):
            ends = [*utterance.starts_s[1:], utterance.end_s]
            timed = zip(written, utterance.starts_s, ends, strict=True)
            found.append([Word(word=word.text, start_s=start, end_s=end, score=1) for word, start, end in timed])
            continue
        try:
            words = join_spoken_words(written, aligner.align(audio, [part for word in written for part in word.spoken]))
        except CannotAlign:
            found.append([])
            continue
        found.append([_moved(word, first) for word in fit_to_audio(compute_levels_db(audio), words)])
    return found


def _edges(placed: Sequence[Word], truth: Sequence[Utterance]) -> tuple[list[float], list[float]]:
    """Milliseconds by which utterances begin and end elsewhere, where their first or last word was placed."""
    starts, ends = [], []
    for utterance in truth:
        said = [_letters(word.text) for word in written_words(utterance.text, "en")]
        middle = [
            word
            for word in placed
            if utterance.start_s - 0.15 < (word.start_s + word.end_s) / 2 < utterance.end_s + 0.15
        ]
        if middle and _letters(middle[0].word) == said[0]:
            starts.append(1000 * (middle[0].start_s - utterance.start_s))
        if middle and _letters(middle[-1].word) == said[-1]:
            ends.append(1000 * (middle[-1].end_s - utterance.end_s))
    return starts, ends


def _spread(values_ms: Sequence[float]) -> dict[str, float]:
    if not values_ms:
        return {"n": 0}
    sizes = np.abs(values_ms)
    return {
        "n": len(sizes),
        "bias": round(float(np.mean(values_ms)), 1),
        "mean": round(float(sizes.mean()), 1),
        "p95": round(float(np.percentile(sizes, 95)), 1),
        "max": round(float(sizes.max()), 1),
    }


def _moved(word: Word, by_s: float) -> Word:
    return word.model_copy(update={"start_s": word.start_s + by_s, "end_s": word.end_s + by_s})


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text.lower())


def read_utterances(path: Path) -> list[Utterance]:
    """Truth of a folder's ``utterances.jsonl``."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Utterance(row["start"], row["end"], row["text"]) for row in rows]


def sample_utterances(text: Path, audio: Path) -> list[Utterance]:
    """The sample's sentences, between the digital silence that parts them."""
    sentences = [line for line in text.read_text(encoding="utf-8").splitlines() if line]
    samples = read_clip(audio, SPEECH_RATE_HZ)
    spans = _sounding(samples, 0.7)
    assert len(spans) == len(sentences)
    return [Utterance(start, end, sentence) for (start, end), sentence in zip(spans, sentences, strict=True)]


def _sounding(samples_16k: Samples, pause_s: float) -> list[tuple[float, float]]:
    """Stretches of sound between pauses of at least ``pause_s``."""
    loud = np.flatnonzero(compute_levels_db(samples_16k) > -55.0)
    gaps = np.flatnonzero(np.diff(loud) > pause_s * 100)
    firsts, lasts = [loud[0], *loud[gaps + 1]], [*loud[gaps], loud[-1]]
    return [(float(first) / 100, float(last + 1) / 100) for first, last in zip(firsts, lasts, strict=True)]


class _Event(ctypes.Structure):
    """espeak-ng's ``espeak_EVENT``."""

    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("name", ctypes.c_char * 8),
    )  # fmt: skip


def spoken_by_espeak(sentence: str) -> tuple[npt.NDArray[np.int16], int, list[float]]:
    """Samples, their rate, and the true start of every word (letters only in the sentence)."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)
    library.espeak_SetVoiceByName(b"en-us")
    library.espeak_SetParameter(1, 160, 0)  # words a minute
    blocks: list[npt.NDArray[np.int16]] = []
    starts: list[float] = []

    @ctypes.CFUNCTYPE(  # type: ignore[untyped-decorator]
        ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
    )
    def take(samples: Any, n_samples: int, events: Any) -> int:
        if samples and n_samples > 0:
            blocks.append(np.ctypeslib.as_array(samples, (n_samples,)).copy())
        number = 0
        while events[number].type:
            if events[number].type == 1:
                starts.append(events[number].sample / rate_hz)
            number += 1
        return 0

    library.espeak_SetSynthCallback(take)
    raw = sentence.encode()
    library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, 1, None, None)
    library.espeak_Synchronize()
    return np.concatenate(blocks), rate_hz, starts


def espeak_book(text: Path, folder: Path) -> tuple[Path, list[Utterance]]:
    """The text spoken sentence by sentence, and when each word begins."""
    parts: list[Samples] = []
    truth = []
    at = 0
    for sentence in (line for line in text.read_text(encoding="utf-8").splitlines() if line):
        raw, rate_hz, starts = spoken_by_espeak(re.sub(r"[^\w\s']", " ", sentence))
        audio = resample(raw.astype(np.float32) / 32768, rate_hz, CLIP_RATE_HZ)
        pause = np.zeros(int(PAUSE_S * CLIP_RATE_HZ), np.float32)
        begin_s = (at + len(pause)) / CLIP_RATE_HZ
        (first_s, _), *_, (_, last_s) = [*_sounding(resample(audio, CLIP_RATE_HZ, SPEECH_RATE_HZ), 9.0)] * 2
        truth.append(
            Utterance(begin_s + first_s, begin_s + last_s, sentence, tuple(begin_s + start for start in starts))
        )
        parts += [pause, audio]
        at += len(pause) + len(audio)
    write_clip(folder / "espeak.wav", np.concatenate(parts), CLIP_RATE_HZ)
    return folder / "espeak.wav", truth
