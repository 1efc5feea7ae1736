"""Corrections: recorded whole and in order, applied to the same result however often, and kept over a new ingest."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.dataset.corrections.apply import Applied, apply_corrections
from jobs.dataset.corrections.base import find_base
from jobs.dataset.corrections.places import key_of
from jobs.dataset.corrections.record import Change, Part, read_corrections, record, record_of
from jobs.dataset.manifest import Clip, Rejection, Source, read_rows, write_rows
from jobs.errors import UserError
from tests.support.kills.process_killer import killed_until_done
from tests.support.null_context import NullContext

BOOK_S = 30.0


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A recording whose samples say where they are: a slow ramp."""
    path = tmp_path / "book.wav"
    write_clip(path, np.linspace(-0.5, 0.5, int(BOOK_S * CLIP_RATE_HZ), dtype=np.float32), CLIP_RATE_HZ)
    return path


def ingest(dataset: Path, book: Path, shift_s: float = 0.0) -> None:
    """Three clips of 4 s with pauses of 2 s, one with a bad rating, and a span that the text lacks."""
    samples = read_clip(book, CLIP_RATE_HZ)
    rows = []
    (dataset / "clips").mkdir(parents=True, exist_ok=True)
    for number in range(4):
        start_s = 6.0 * number + shift_s
        audio = f"clips/{number:06d}.wav"
        write_clip(dataset / audio, samples[int(start_s * 24000) : int((start_s + 4) * 24000)], CLIP_RATE_HZ)
        source = Source(recording="book.wav", chapter=1, start_s=start_s, end_s=start_s + 4)
        rows.append(
            Clip(audio=audio, text=f"Text {number}.", speaker="anna", language="english", duration_s=4.0, source=source,
                 quality={"snr_db": 30.0}, ref_audio="clips/000000.wav", spoken=["text"])
        )  # fmt: skip
    rejections = [
        Rejection(source=rows[3].source, reason="noisy", text=rows[3].text, audio=rows[3].audio),
        Rejection(source=Source(recording="book.wav", start_s=10.0, end_s=12.0), reason="not_in_text"),
    ]
    write_rows(dataset / "rejections.jsonl", rejections)
    write_rows(dataset / "train_manifest.jsonl", rows[:3])


@pytest.fixture
def dataset(tmp_path: Path, book: Path) -> Path:
    folder = tmp_path / "dataset"
    ingest(folder, book)
    return folder


def say(
    dataset: Path, clip: str, action: Any = "change", seen: str | None = None, who: str = "Ada", **part: Any
) -> str:
    """Record one correction of a clip by its file or key; return its id."""
    base = find_base(dataset)
    rows = [*read_rows(base.manifest, Clip), *read_rows(base.rejections, Rejection)]
    row = next(row for row in rows if clip in (row.audio, key_of(row)))
    change = Change(clip=clip, action=action, parts=[Part(**part)] if part else [], seen=seen)
    return record(dataset, [change], [key_of(row)], [row.audio or ""], who)[0].id


def apply(dataset: Path, book: Path | None = None) -> Applied:
    context: Any = NullContext(dataset)
    return apply_corrections(dataset, book, context)


def rows_of(dataset: Path) -> list[Clip]:
    return list(read_rows(dataset / "train_manifest.jsonl", Clip))


def content(dataset: Path) -> dict[str, str]:
    """Hash of each file but the note of which manifests are ours."""
    return {
        str(path.relative_to(dataset)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(dataset.rglob("*"))
        if path.is_file() and not path.name.endswith(".tmp")
    }


def test_a_text_is_corrected_and_nothing_else(dataset: Path) -> None:
    before = rows_of(dataset)
    say(dataset, "clips/000001.wav", text="The right words.")

    done = apply(dataset)

    after = rows_of(dataset)
    assert (done.n_changed, done.n_cut, done.n_clips, done.problems) == (1, 0, 3, [])
    assert [row.text for row in after] == ["Text 0.", "The right words.", "Text 2."]
    assert (after[1].audio, after[1].quality, "spoken" in after[1].model_extra) == (
        before[1].audio, before[1].quality, False,
    )  # fmt: skip
    assert [after[0], after[2]] == [before[0], before[2]]


def test_borders_within_the_clip_are_cut_from_it_and_beyond_it_from_the_recording(dataset: Path, book: Path) -> None:
    say(dataset, "clips/000000.wav", start_s=0.5, end_s=3.0)
    say(dataset, "clips/000001.wav", end_s=11.0)

    done = apply(dataset, book)

    inner, outer, _ = rows_of(dataset)
    whole = read_clip(book, CLIP_RATE_HZ)
    assert (done.n_cut, done.problems) == (2, [])
    assert [(row.duration_s, row.source.start_s, row.source.end_s) for row in (inner, outer)] == [
        (2.5, 0.5, 3.0), (5.0, 6.0, 11.0),
    ]  # fmt: skip
    for row in (inner, outer):
        cut = read_clip(dataset / row.audio, CLIP_RATE_HZ)
        middle = len(cut) // 2
        there = whole[round(row.source.start_s * 24000) + middle]
        assert cut[middle] == pytest.approx(there, abs=1e-4)
    assert {row.ref_audio for row in rows_of(dataset)} == {inner.audio}


def test_without_the_recording_a_longer_clip_is_a_problem_that_is_named_and_the_clip_stays(dataset: Path) -> None:
    say(dataset, "clips/000001.wav", end_s=11.0)

    done = apply(dataset)

    assert len(done.problems) == 1
    assert "recording_missing" in done.problems[0]
    assert rows_of(dataset)[1].audio == "clips/000001.wav"


def test_a_clip_is_dropped_and_rejections_are_rescued_at_their_place(dataset: Path, book: Path) -> None:
    say(dataset, "clips/000000.wav", "drop")
    say(dataset, "clips/000003.wav", "keep")
    say(dataset, "book.wav@10.000-12.000", text="A line that the text lacks.")
    say(dataset, "book.wav@10.000-12.000", "keep")

    done = apply(dataset, book)

    rows = rows_of(dataset)
    left = list(read_rows(dataset / "rejections.jsonl", Rejection))
    assert (done.n_dropped, done.n_rescued, done.n_clips) == (1, 2, 4)
    assert [row.text for row in rows] == ["Text 1.", "A line that the text lacks.", "Text 2.", "Text 3."]
    assert (rows[1].speaker, rows[1].language, rows[1].duration_s, rows[1].quality) == ("anna", "english", 2.0, {})
    assert [(row.reason, row.detail, row.audio) for row in left] == [("dropped", "by Ada", "clips/000000.wav")]
    assert {row.ref_audio for row in rows} == {None}, "the reference clip was dropped: convert_codes chooses another"


def test_a_clip_is_split_and_the_reference_is_chosen(dataset: Path) -> None:
    parts = [Part(text="One.", start_s=6.0, end_s=7.5), Part(text="Two.", start_s=7.5, end_s=10.0)]
    key = key_of(rows_of(dataset)[1])
    record(dataset, [Change(clip=key, parts=parts)], [key], ["clips/000001.wav"], "Ada")
    say(dataset, "clips/000002.wav", "reference")

    apply(dataset)

    rows = rows_of(dataset)
    assert [(row.text, row.duration_s) for row in rows] == [
        ("Text 0.", 4.0), ("One.", 1.5), ("Two.", 2.5), ("Text 2.", 4.0),
    ]  # fmt: skip
    assert {row.ref_audio for row in rows} == {"clips/000002.wav"}


def test_to_apply_again_changes_no_byte_and_undo_brings_back_the_ingest(dataset: Path, book: Path) -> None:
    ingested = (dataset / "train_manifest.jsonl").read_bytes()
    say(dataset, "clips/000001.wav", text="The right words.", end_s=11.0)
    apply(dataset, book)
    once = content(dataset)

    again = apply(dataset, book)

    assert content(dataset) == once
    assert again.n_cut == 0
    say(dataset, "clips/000001.wav", "undo")
    apply(dataset, book)
    assert (dataset / "train_manifest.jsonl").read_bytes() == ingested


def test_a_new_ingest_of_the_book_keeps_the_corrections_also_when_its_borders_move_a_little(
    dataset: Path, book: Path
) -> None:
    say(dataset, "clips/000001.wav", text="The right words.")
    say(dataset, "clips/000002.wav", "drop")
    apply(dataset)

    ingest(dataset, book, shift_s=0.2)
    done = apply(dataset)

    assert [row.text for row in rows_of(dataset)] == ["Text 0.", "The right words."]
    assert done.problems == []
    ingest(dataset, book, shift_s=2.5)
    assert len(apply(dataset).problems) == 2, "the clips are others now, and that is said"


def test_two_windows_that_correct_the_same_clip_are_a_conflict(dataset: Path) -> None:
    first = say(dataset, "clips/000001.wav", seen="", text="Ada was first.")

    with pytest.raises(UserError, match="Ada was first") as conflict:
        say(dataset, "clips/000001.wav", seen="", who="Bob", text="So was Bob.")

    assert conflict.value.code == "correction_conflict"
    say(dataset, "clips/000001.wav", seen=first, who="Bob", text="Bob saw it.")
    assert [one.who for one in read_corrections(record_of(dataset))] == ["Ada", "Bob"]


def test_corrections_of_many_writers_are_all_there(dataset: Path) -> None:
    def correct(number: int) -> None:
        for turn in range(10):
            say(dataset, f"clips/00000{number % 3}.wav", who=f"{number}", text=f"Turn {turn}.")

    writers = [threading.Thread(target=correct, args=(number,)) for number in range(4)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()

    said = read_corrections(record_of(dataset))
    assert len({one.id for one in said}) == len(said) == 40
    for number in range(4):
        assert [one.parts[0].text for one in said if one.who == f"{number}"] == [f"Turn {turn}." for turn in range(10)]


def test_a_line_that_was_cut_off_is_no_correction_and_the_next_one_is_whole(dataset: Path) -> None:
    say(dataset, "clips/000001.wav", text="Whole.")
    with record_of(dataset).open("a") as stream:
        stream.write('{"id": "abc", "at": 1.0, "clip": "x", "act')

    say(dataset, "clips/000001.wav", text="After it.")

    assert [one.parts[0].text for one in read_corrections(record_of(dataset))] == ["Whole.", "After it."]
    record_of(dataset).write_text(json.dumps({"id": "abc", "at": 1.0, "clip": "x", "action": "fly"}) + "\n")
    with pytest.raises(UserError, match="line 1: action"):
        read_corrections(record_of(dataset))


def test_kills_at_random_moments_lose_and_double_nothing(dataset: Path, book: Path, tmp_path: Path) -> None:
    for number in (0, 1, 2):
        say(dataset, f"clips/00000{number}.wav", text=f"Right {number}.", end_s=6.0 * number + 5)
    whole = tmp_path / "whole"
    ingest(whole, book)
    record_of(whole).write_bytes(record_of(dataset).read_bytes())
    apply(whole, book)

    rng, n_killed = random.Random(5), 0
    while n_killed < 12:
        n_killed += killed_until_done(lambda: apply(dataset, book), rng, 0.05, 12 - n_killed)
        assert content(dataset) == content(whole)
