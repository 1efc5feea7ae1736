"""The train/validation split: its guarantees on random datasets, and the choice on typical ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.dataset.manifest import Clip, Source
from jobs.dataset.split import (
    MIN_CLIPS_TO_SPLIT,
    MIN_HELD_OUT_CLIPS,
    SplitRow,
    inner_indices,
    sample_evenly,
    split,
    split_clips,
)


def chapters(*sizes: int, speaker: str = "a", book: str = "book") -> list[SplitRow]:
    """Chapters of so many clips of 5 s; the text names chapter and clip."""
    return [
        SplitRow(speaker, f"{speaker} {number}-{k}", 5.0, (book, number))
        for number, size in enumerate(sizes, 1)
        for k in range(size)
    ]


def held_out(rows: list[SplitRow], share: float = 0.05) -> list[str]:
    return [row.text for row, part in zip(rows, split(rows, share), strict=True) if part == "validation"]


@st.composite
def datasets(draw: st.DrawFn) -> list[SplitRow]:
    """Clips of one to three speakers in any chapters, with repeated texts now and then."""
    rows = []
    for speaker in draw(st.sampled_from(["a", "ab", "abc"])):
        places = draw(st.lists(st.sampled_from(["one", "two", None]), min_size=1, max_size=2, unique=True))
        for place in places:
            for number, size in enumerate(draw(st.lists(st.integers(1, 30), min_size=1, max_size=6)), 1):
                texts = draw(st.lists(st.integers(0, 400), min_size=size, max_size=size))
                seconds = draw(st.lists(st.floats(0.5, 15), min_size=size, max_size=size))
                chapter = None if place is None else (place, number)
                rows += [SplitRow(speaker, f"t{t}", s, chapter) for t, s in zip(texts, seconds, strict=True)]
    return rows


@settings(max_examples=200, deadline=None)
@given(rows=datasets(), share=st.floats(0.0, 0.5))
def test_the_guarantees_hold_for_every_speaker(rows: list[SplitRow], share: float) -> None:
    answer = split(rows, share)

    assert answer == split(rows, share)
    for speaker in {row.speaker for row in rows}:
        own = [(row, part) for row, part in zip(rows, answer, strict=True) if row.speaker == speaker]
        train = {row.text for row, part in own if part == "train"}
        held = [index for index, (_, part) in enumerate(own) if part == "validation"]
        assert train
        assert not train & {own[index][0].text for index in held}
        assert set(held) <= set(inner_indices([row for row, _ in own]))
        assert not held or (share > 0 and len(own) >= MIN_CLIPS_TO_SPLIT)


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8), share=st.floats(0.01, 0.5))
def test_enough_clips_of_different_text_are_always_held_out(sizes: list[int], share: float) -> None:
    rows = chapters(*sizes)

    n_held = len(held_out(rows, share))

    assert n_held >= (min(MIN_HELD_OUT_CLIPS, len(inner_indices(rows))) if len(rows) >= MIN_CLIPS_TO_SPLIT else 0)
    assert n_held <= max(2 * share * len(rows) + 1, MIN_HELD_OUT_CLIPS)


def test_nothing_is_held_out_when_every_text_is_also_in_a_first_or_last_chapter() -> None:
    rows = [SplitRow("a", "the same", 1.0, ("one", 1))] * 21

    assert split(rows, 0.5) == ["train"] * 21


def test_the_inner_chapter_nearest_to_the_share_is_held_out_whole() -> None:
    assert held_out(chapters(8, 60, 8, 50, 7)) == [f"a 3-{k}" for k in range(8)]


def test_neither_the_first_nor_the_last_chapter_is_held_out_though_they_fit_best() -> None:
    rows = chapters(*[10] * 10)

    assert {row.chapter for row, part in zip(rows, split(rows, 0.1), strict=True) if part == "validation"} == {
        ("book", 2)
    }


def test_each_book_of_a_speaker_keeps_its_first_and_last_chapter() -> None:
    rows = [*chapters(5, 40, 5, book="x"), *chapters(5, 40, 5, book="y")]

    assert {row.chapter for row, part in zip(rows, split(rows, 0.1), strict=True) if part == "validation"} == {
        ("x", 2),
        ("y", 2),
    }


def test_of_large_inner_chapters_the_middle_of_each_is_held_out() -> None:
    assert held_out(chapters(50, 100, 100, 50), 0.02) == [
        *("a 2-48", "a 2-49", "a 2-50"),
        *("a 3-48", "a 3-49", "a 3-50"),
    ]


def test_of_one_chapter_the_middle_is_held_out() -> None:
    assert held_out(chapters(100)) == [f"a 1-{k}" for k in range(47, 52)]


def test_a_small_second_speaker_is_held_out_in_part_and_never_whole() -> None:
    rows = [*chapters(36, 36, 36, 36, 36, speaker="anna"), *chapters(20, speaker="ben")]
    answer = split(rows, 0.05)

    assert sum(part == "validation" for row, part in zip(rows, answer, strict=True) if row.speaker == "ben") == 3
    assert sum(part == "validation" for row, part in zip(rows, answer, strict=True) if row.speaker == "anna") >= 3


def test_a_text_spoken_twice_is_on_one_side() -> None:
    rows = [SplitRow("a", f"text {n % 50}", 5.0) for n in range(100)]
    answer = split(rows, 0.1)

    sides = [{part for row, part in zip(rows, answer, strict=True) if row.text == f"text {n}"} for n in range(50)]
    assert all(len(side) == 1 for side in sides)
    assert 8 <= answer.count("validation") <= 12


def test_of_fewer_than_twenty_clips_or_a_share_of_zero_nothing_is_held_out() -> None:
    assert held_out(chapters(5, 9, 5)) == []
    assert held_out(chapters(100), 0.0) == []


def test_curated_clips_are_one_chapter_and_others_are_placed_by_their_source() -> None:
    source = Source(recording="book.m4b", chapter=3, start_s=0.0, end_s=5.0)

    assert SplitRow.from_clip(Clip(audio="a.wav", text="x", source=source)).chapter == ("book.m4b", 3)
    assert SplitRow.from_clip(Clip(audio="a.wav", text="x", source=source, transcript="curated")).chapter is None
    assert SplitRow.from_clip(Clip(audio="a.wav", text="x"), speaker="b", duration_s=2.0) == SplitRow("b", "x", 2.0)
    assert split_clips([Clip(audio=f"{n}.wav", text=f"{n}") for n in range(100)], 0.05).count("validation") == 5


def test_an_even_sample_begins_with_the_first_item() -> None:
    assert sample_evenly(range(100), 5) == [0, 20, 40, 60, 80]
    assert sample_evenly("abc", 5) == ["a", "b", "c"]
    assert sample_evenly([], 5) == sample_evenly("abc", 0) == []
