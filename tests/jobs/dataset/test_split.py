"""What is held out: about the share asked for, whole chapters where they fit, the same every time."""

from __future__ import annotations

from jobs.dataset.manifest import Clip, Source
from jobs.dataset.split import split


def clips(*sizes: int, speaker: str = "a") -> list[Clip]:
    """Chapters of so many clips of 5 s."""
    return [
        Clip(audio=f"{chapter}-{k}.wav", text="x", speaker=speaker, duration_s=5.0,
             source=Source(recording="book", chapter=chapter, start_s=5.0 * k, end_s=5.0 * k + 5))
        for chapter, size in enumerate(sizes, 1)
        for k in range(size)
    ]  # fmt: skip


def held_out(rows: list[Clip], share: float = 0.05) -> list[str]:
    return [row.audio for row, part in zip(rows, split(rows, share), strict=True) if part == "validation"]


def test_a_whole_inner_chapter_of_about_the_size_is_held_out() -> None:
    rows = clips(40, 60, 8, 50, 7)

    assert held_out(rows) == [f"3-{k}.wav" for k in range(8)]


def test_of_one_chapter_the_last_clips_are_held_out() -> None:
    assert held_out(clips(100)) == [f"1-{k}.wav" for k in range(95, 100)]


def test_of_few_large_chapters_the_last_clips_of_each_are_held_out() -> None:
    assert held_out(clips(60, 40)) == ["1-57.wav", "1-58.wav", "1-59.wav", "2-38.wav", "2-39.wav"]


def test_of_fewer_than_twenty_clips_nothing_is_held_out() -> None:
    assert held_out(clips(10, 9)) == []


def test_at_least_three_clips_are_held_out_of_each_speaker() -> None:
    rows = clips(25, speaker="a") + clips(30, speaker="b")
    parts = split(rows, 0.02)

    assert [sum(p == "validation" and r.speaker == s for r, p in zip(rows, parts, strict=True)) for s in "ab"] == [3, 3]


def test_a_share_of_zero_holds_out_nothing() -> None:
    assert held_out(clips(100), 0.0) == []
