"""Segments of text with times, read from subtitles or JSONL."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.books.text_decoding import check_script, decode_text_file
from jobs.errors import UserError
from jobs.files.reading import check_regular, read_lines
from jobs.ingest_audiobook.input.source_files import SourceFiles, check_link
from jobs.ingest_audiobook.params import SUBTITLE_SUFFIXES, Params
from jobs.ingest_audiobook.text.cues import read_cues

MAX_NAMED = 5
MAX_SEGMENTS = 500_000  # 100 hours have 120,000 of 3 s
MAX_SUBTITLE_BYTES, MAX_CUES = 8_000_000, 200_000  # 40 hours have 3 MB
MAX_SEGMENTS_BYTES = 256 << 20  # of JSONL: with times of all words, 100 hours have 160 MB
MAX_WITHIN, WITHIN_S = 1_000, 10.0  # segments; single letters have 20 a second
MAX_LINE_BYTES = 1 << 20
MAX_TEXT = 10_000  # characters; a clip has at most 30 s, 600 characters
MAX_TIME_S = 1e7  # 2,800 hours


@dataclass(frozen=True)
class Segment:
    """A text with its time in the recording, seconds; ``line`` is the number of its line or cue in the file."""

    line: int
    start_s: float
    end_s: float
    text: str


def read_segments(path: Path) -> list[Segment]:
    """Read JSONL with start, end (seconds) and text, sorted by start; other fields are ignored.

    Raises ``UserError``: ``segments_unreadable`` with the number of the first bad line, ``segments_empty``,
    ``file_not_regular``, ``file_too_large``, ``line_too_long``.
    """
    size = check_regular(path).st_size
    if size > MAX_SEGMENTS_BYTES:
        raise UserError(
            "file_too_large",
            f"{path} has {size:,} bytes; at most {MAX_SEGMENTS_BYTES:,} are read.",
            "Check that this is the right file.",
        )
    segments: list[Segment] = []
    for number, raw in enumerate(read_lines(path, MAX_LINE_BYTES), 1):
        if raw.strip():
            segments.append(_segment(path, number, raw))
            _check_count(path, len(segments))
    if not segments:
        raise UserError("segments_empty", f"{path} holds no segments.", "One JSON object a line: start, end, text.")
    return _in_order(path, segments)


def read_subtitles(path: Path) -> list[Segment]:
    """Read .srt or .vtt, sorted by start, without sounds in brackets and notes of music.

    Raises ``UserError``: ``segments_unreadable``, ``segments_empty``, and those of ``decode_text_file``.
    """
    if (size := check_regular(path).st_size) > MAX_SUBTITLE_BYTES:
        raise UserError(
            "file_too_large",
            f"{path} has {size:,} bytes; at most {MAX_SUBTITLE_BYTES:,} of subtitles are read.",
            "Check that this is the right file.",
        )
    text = decode_text_file(path).text
    _check_count(path, text.count("-->"), MAX_CUES)
    cues = read_cues(text, is_vtt=path.suffix.lower() == ".vtt")
    segments = [Segment(number, cue.start_s, cue.end_s, cue.text) for number, cue in enumerate(cues, 1)]
    if not segments:
        raise UserError("segments_empty", f"{path} holds no cues.", "Give .srt or .vtt with times and text.")
    return _in_order(path, segments)


def _in_order(path: Path, segments: Sequence[Segment]) -> list[Segment]:
    """Sort segments by start; so many at one time as no speech has are refused."""
    found = sorted(segments, key=lambda segment: (segment.start_s, segment.line))
    for first, later in zip(found, found[MAX_WITHIN:], strict=False):
        if later.start_s - first.start_s < WITHIN_S:
            raise UserError(
                "segments_unreadable",
                f"{path} has more than {MAX_WITHIN:,} segments within {WITHIN_S:g} s, from {first.start_s:g} s on.",
                "Check its times; they are seconds.",
            )
    return found


def _check_count(path: Path, n_segments: int, most: int = MAX_SEGMENTS) -> None:
    if n_segments > most:
        raise UserError(
            "segments_unreadable",
            f"{path} has more than {most:,} segments.",
            "Check that this is the right file; segments belong to one recording.",
        )


def segment_files(params: Params, names: Sequence[str]) -> list[Path]:
    """Return the file of segments of each recording: the given file, or files of the recordings' names in a folder.

    Raises ``UserError``: ``segments_missing``.
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
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        raise UserError(
            "segments_missing",
            f"{given} has no {' or '.join(suffixes)} file for {', '.join(map(repr, missing[:MAX_NAMED]))}{more}.",
            "Add a file of the same name for each recording, or remove the recording from the folder.",
        )
    return [path for path in found if path is not None]


def read_given_segments(params: Params, files: SourceFiles, roots: Sequence[Path] | None = None) -> list[list[Segment]]:
    """Read the segments that the parameters name, for each recording.

    Raises ``UserError``: ``segments_unreadable``, ``segments_empty``, ``segments_missing``, ``text_right_to_left``,
    ``path_outside_roots``.
    """
    read = read_segments if params.segments_jsonl else read_subtitles
    folder = Path(params.segments_jsonl or params.text or "")
    found = []
    for path in segment_files(params, files.names):
        if path != folder:
            check_link(path, folder, roots)  # of the file, not of its folder, which may itself be a link
        segments = read(path)
        check_script(" ".join(segment.text for segment in segments[:5000]), path)
        found.append(segments)
    return found


def _segment(path: Path, number: int, raw: bytes) -> Segment:
    try:
        row = json.loads(raw.decode("utf-8"))
        start, end, text = (row[name] for name in ("start", "end", "text"))
        if not isinstance(text, str):
            raise TypeError("text is not a string")
        if len(text) > MAX_TEXT:
            raise ValueError(f"text has {len(text):,} characters, more than {MAX_TEXT:,}")
        for value in (start, end):
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_TIME_S:
                raise TypeError(f"start and end must be seconds, not {str(value)[:40]!r}")
    except KeyError as error:
        raise _unreadable(path, number, f"it has no {error.args[0]!r}") from error
    except RecursionError as error:
        raise _unreadable(path, number, "its lists are nested too deeply") from error
    except (ValueError, TypeError) as error:
        raise _unreadable(path, number, str(error)[:200]) from error
    text = text.encode("utf-8", "replace").decode("utf-8")  # JSON may hold halves of characters
    return Segment(number, float(start), float(end), " ".join(text.split()))


def _unreadable(path: Path, number: int, why: str) -> UserError:
    return UserError(
        "segments_unreadable",
        f"{path}, line {number}: {why}.",
        'Every line must be like {"start": 1.5, "end": 4.2, "text": "What is said."}, times in seconds.',
    )
