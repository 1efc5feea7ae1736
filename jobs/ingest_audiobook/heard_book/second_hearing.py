"""Second hearing of speech whose words are in doubt: in another window Whisper often hears what the book has.

Whisper's words hang on what else is in its window. Speech is kept when either hearing finds the book's words in it.
"""

from collections.abc import Sequence
from typing import Protocol

from jobs.audio.clip_io import SPEECH_RATE_HZ, Samples
from jobs.audio.vad_segments import Span, padded
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, RejectedSpan
from jobs.ingest_audiobook.heard_book.differences import Scorer
from jobs.ingest_audiobook.heard_book.placement import BookPlacer
from jobs.ingest_audiobook.heard_book.whisper_text import WINDOW_PAD_S, HeardText, SpeechToText, to_heard_text

DOUBTS = ("words_differ", "edge_in_doubt")
MAX_DOUBT_SHARE = 0.3  # of the speech; more is another text, and each window costs as much as the first time
MIN_AGAIN_S, MAX_AGAIN_S = 8.0, 20.0  # of a window
MAX_GAP_S = 3.0  # to speech that belongs to the same window


class Listener(SpeechToText, Scorer, Protocol):
    """The parts of ``jobs.asr.whisper.Transcriber`` that hear and compare."""


def hear_again(
    heard: HeardText,
    placed: Sequence[PlacedRun],
    rejected: Sequence[RejectedSpan],
    audio_16k: Samples,
    placer: BookPlacer,
    whisper: Listener,
) -> tuple[list[PlacedRun], list[RejectedSpan]]:
    """Return the runs with the book's words and the others, after a second hearing of runs in doubt."""
    doubtful = {one.span for one in rejected if one.reason in DOUBTS}
    places = [k for k, run in enumerate(heard.runs) if run in doubtful]
    speech_s = sum(run.duration_s for run in heard.runs)
    if not places or sum(heard.runs[k].duration_s for k in places) > MAX_DOUBT_SHARE * speech_s:
        return list(placed), list(rejected)
    groups = group_around(heard.runs, places)
    duration_s = len(audio_16k) / SPEECH_RATE_HZ
    windows = [
        padded([Span(heard.runs[group.start].start_s, heard.runs[group.stop - 1].end_s)], duration_s, WINDOW_PAD_S)[0]
        for group in groups
    ]
    found = whisper.transcribe_spans(audio_16k, [(each.start_s, each.end_s) for each in windows], heard.language)
    kept = {run.span: run for run in placed}
    for group, window, segments in zip(groups, windows, found, strict=True):
        again = to_heard_text([window], [segments], heard.runs[group.start : group.stop])
        for run in placer.place(again, audio_16k, whisper)[0]:
            if run.span in doubtful and _fits_between(run, kept, heard.runs, placer):
                kept[run.span] = run
    runs = sorted(kept.values(), key=lambda run: run.span.start_s)
    return runs, [one for one in rejected if one.span not in kept]


def group_around(runs: Sequence[Span], places: Sequence[int]) -> list[range]:
    """Return groups of neighbouring runs that hold the runs at ``places``, with context on both sides."""
    groups: list[range] = []
    for place in places:
        group = _with_context(runs, place)
        if groups and group.start < groups[-1].stop:
            joined = range(groups[-1].start, max(groups[-1].stop, group.stop))
            if runs[joined.stop - 1].end_s - runs[joined.start].start_s <= MAX_AGAIN_S:
                groups[-1] = joined
                continue
        groups.append(group)
    return groups


def _with_context(runs: Sequence[Span], place: int) -> range:
    first, last = place, place
    while runs[last].end_s - runs[first].start_s < MIN_AGAIN_S:
        wider: list[tuple[int, float, int, int]] = []  # runs of context on that side, the pause before it
        if first > 0:
            wider.append((place - first, runs[first].start_s - runs[first - 1].end_s, first - 1, last))
        if last + 1 < len(runs):
            wider.append((last - place, runs[last + 1].start_s - runs[last].end_s, first, last + 1))
        fitting = [
            each for each in wider if each[1] < MAX_GAP_S and runs[each[3]].end_s - runs[each[2]].start_s <= MAX_AGAIN_S
        ]
        if not fitting:
            break
        _, _, first, last = min(fitting)
    return range(first, last + 1)


def _fits_between(run: PlacedRun, kept: dict[Span, PlacedRun], runs: Sequence[Span], placer: BookPlacer) -> bool:
    """Return whether no word is said twice, or by neither, between a run and its neighbours that are kept."""
    k = runs.index(run.span)
    before = kept.get(runs[k - 1]) if k else None
    after = kept.get(runs[k + 1]) if k + 1 < len(runs) else None
    return (before is None or placer.book.follows(before.words[-1], run.words[0])) and (
        after is None or placer.book.follows(run.words[-1], after.words[0])
    )
