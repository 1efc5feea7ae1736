"""Segments that exist already (start, end, text): read strictly, fitted to the recording."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pysubs2

from jobs.audio.recording import Samples
from jobs.audio.vad_segments import FRAME_S, SPEECH_ON, Span, merged
from jobs.errors import UserError
from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits, Piece, Refusal, checked_lengths
from jobs.ingest_audiobook.params import SUBTITLE_SUFFIXES, Params
from jobs.ingest_audiobook.text.text_readers import decoded

MOST_NAMED = 5


@dataclass(frozen=True)
class GivenSegment:
    """One line: seconds of the recording, and what is said."""

    line: int
    start_s: float
    end_s: float
    text: str


def read_segments(path: Path) -> list[GivenSegment]:
    """Read segments JSONL, sorted by start; other fields of a line are ignored.

    Raises:
        UserError: ``segments_unreadable`` with the number of the first bad line, ``segments_empty``.
    """
    segments: list[GivenSegment] = []
    for number, raw in enumerate(path.read_bytes().splitlines(), 1):
        if raw.strip():
            segments.append(_segment(path, number, raw))
    if not segments:
        raise UserError("segments_empty", f"{path} holds no segments.", "One JSON object a line: start, end, text.")
    return sorted(segments, key=lambda segment: (segment.start_s, segment.line))


def read_subtitles(path: Path) -> list[GivenSegment]:
    """Read .srt or .vtt, sorted by start; ``line`` is the number of the cue. Sounds in brackets and notes are no text.

    Raises:
        UserError: ``segments_unreadable``, ``segments_empty``, and those of ``decoded``.
    """
    text = decoded(path).text
    try:
        cues = pysubs2.SSAFile.from_string(text, format_=path.suffix.lower().lstrip("."))
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise UserError("segments_unreadable", f"{path} is no subtitle file: {error}.", "Give .srt or .vtt.") from error
    segments = [
        GivenSegment(number, cue.start / 1000, cue.end / 1000, _said(cue.plaintext))
        for number, cue in enumerate(cues, 1)
    ]
    if not segments:
        raise UserError("segments_empty", f"{path} holds no cues.", "Give .srt or .vtt with times and text.")
    return sorted(segments, key=lambda segment: (segment.start_s, segment.line))


def segment_files(params: Params, names: Sequence[str]) -> list[Path]:
    """The file of segments of each recording: the one that was given, or those of a folder that have their names.

    Args:
        params: name a file, or a folder in which ``01.mp3`` has ``01.srt``, ``01.vtt`` or, as segments, ``01.jsonl``.
        names: of the recordings, relative to their folder.

    Raises:
        UserError: ``segments_missing``.
    """
    given = Path(params.segments_jsonl or params.text or "")
    if not given.is_dir():
        return [given]
    suffixes = (".jsonl",) if params.segments_jsonl else SUBTITLE_SUFFIXES
    found = [
        next((path for suffix in suffixes if (path := (given / name).with_suffix(suffix)).is_file()), None)
        for name in names
    ]
    missing = [name for name, path in zip(names, found, strict=True) if path is None]
    if missing:
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        raise UserError(
            "segments_missing",
            f"{given} has no {' or '.join(suffixes)} file for {', '.join(map(repr, missing[:MOST_NAMED]))}{more}.",
            "Every recording needs one of its own name, or leave its recording out of the folder.",
        )
    return [path for path in found if path is not None]


def _said(text: str) -> str:
    return " ".join(re.sub(r"\[[^\]]*\]|\([^)]*\)|[♪♫#]+", " ", text).split())


def _segment(path: Path, number: int, raw: bytes) -> GivenSegment:
    try:
        row = json.loads(raw.decode("utf-8"))
        start, end, text = row["start"], row["end"], row["text"]
        if not isinstance(text, str):
            raise TypeError("text is not a string")
        for value in (start, end):
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise TypeError(f"start and end must be seconds, not {value!r}")
    except KeyError as error:
        raise _unreadable(path, number, f"it has no {error.args[0]!r}") from error
    except (ValueError, TypeError) as error:
        raise _unreadable(path, number, str(error)) from error
    return GivenSegment(number, float(start), float(end), " ".join(text.split()))


def _unreadable(path: Path, number: int, why: str) -> UserError:
    return UserError(
        "segments_unreadable",
        f"{path}, line {number}: {why}.",
        'Every line must be like {"start": 1.5, "end": 4.2, "text": "What is said."}, times in seconds.',
    )


def given_pieces(
    segments: Sequence[GivenSegment],
    start_s: float,
    duration_s: float,
    probabilities: Samples,
    limits: ClipLimits,
) -> tuple[list[Piece], list[Refusal]]:
    """The segments that begin in a stretch, with times in the stretch; ends in speech are marked as cuts.

    Args:
        segments: of the whole recording, sorted by start.
        start_s: where the stretch starts in the recording.
        duration_s: its length.
        probabilities: its speech probabilities.
        limits: lengths of clips.
    """
    pieces: list[Piece] = []
    refused: list[Refusal] = []
    reached_s = 0.0
    # all that lie before the recording begin with its first stretch
    low = bisect_left(segments, start_s, key=_start) if start_s > 0 else 0
    for segment in segments[low : bisect_left(segments, start_s + duration_s, key=_start)]:
        if not start_s <= max(segment.start_s, 0.0) < start_s + duration_s:
            continue
        span = Span(segment.start_s - start_s, segment.end_s - start_s)
        fault = _fault(segment, span, reached_s, duration_s)
        if fault is None:
            marked = Span(
                span.start_s, span.end_s, _is_speech(probabilities, span.start_s), _is_speech(probabilities, span.end_s)
            )
            pieces.append(Piece(marked, segment.text))
            reached_s = span.end_s
        else:
            inside = Span(min(max(span.start_s, 0.0), duration_s), min(max(span.end_s, 0.0), duration_s))
            refused.append(
                Refusal(inside, fault, f"line {segment.line}: {segment.start_s}-{segment.end_s} s", segment.text)
            )
    kept, by_length = checked_lengths(_merged(pieces, refused, limits), limits)
    return kept, refused + by_length


def _start(segment: GivenSegment) -> float:
    return segment.start_s


def beyond_end(segments: Sequence[GivenSegment], recording_s: float) -> list[GivenSegment]:
    """Segments that begin where there is no recording any more."""
    return [segment for segment in segments if segment.start_s >= recording_s]


def _fault(segment: GivenSegment, span: Span, reached_s: float, duration_s: float) -> str | None:
    if segment.end_s <= segment.start_s:
        return "segment_backwards"
    if segment.start_s < 0:
        return "segment_before_start"
    if span.start_s < reached_s - 1e-6:
        return "segment_overlaps"
    if span.end_s > duration_s + 1e-3:
        return "segment_crosses_end"
    return None if segment.text else "segment_without_text"


def _is_speech(probabilities: Samples, at_s: float) -> bool:
    return bool(probabilities[min(len(probabilities) - 1, int(at_s / FRAME_S))] >= SPEECH_ON)


def _merged(pieces: Sequence[Piece], refused: Sequence[Refusal], limits: ClipLimits) -> list[Piece]:
    may_join = [
        k > 0 and not any(pieces[k - 1].span.end_s <= bad.span.start_s < piece.span.start_s for bad in refused)
        for k, piece in enumerate(pieces)
    ]
    groups = merged(
        [piece.span for piece in pieces],
        target_s=limits.target_s,
        max_s=limits.max_s,
        max_gap_s=limits.max_gap_s,
        may_join=may_join,
    )
    return [
        Piece(
            Span(
                pieces[group[0]].span.start_s,
                pieces[group[-1]].span.end_s,
                pieces[group[0]].span.cut_start,
                pieces[group[-1]].span.cut_end,
            ),
            " ".join(pieces[k].text for k in group),
        )
        for group in groups
    ]
