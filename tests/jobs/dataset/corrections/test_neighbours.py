from __future__ import annotations

import random

from jobs.dataset.corrections.neighbours import Neighbours
from jobs.dataset.manifest import Clip, Source


def _clip(number: int, recording: str, start_s: float) -> Clip:
    place = Source(recording=recording, start_s=start_s, end_s=start_s + 1)
    return Clip(audio=f"clips/{number}.wav", text="a b", speaker="ann", source=place)


def _place_by_reading_all(source: Source, rows: list[Clip]) -> int:
    same = [number for number, row in enumerate(rows) if row.source.recording == source.recording]
    before = [number for number in same if rows[number].source.start_s < source.start_s]
    return before[-1] if before else same[0] - 1 if same else len(rows)


def test_a_place_and_the_nearest_clip_are_those_that_reading_all_rows_finds() -> None:
    rng = random.Random(7)
    for _ in range(200):
        rows = [_clip(n, rng.choice("xy"), rng.randrange(9)) for n in range(rng.randrange(8))]
        index = Neighbours(rows)
        for recording in "xyz":
            source = Source(recording=recording, start_s=rng.randrange(-1, 10), end_s=11)
            same = [row for row in rows if row.source.recording == recording]
            nearest = min(same, key=lambda row: abs(row.source.start_s - source.start_s), default=None)

            assert index.place_of(source) == _place_by_reading_all(source, rows)
            assert index.nearest(source) is (nearest or (rows[0] if rows else None))


def test_ten_thousand_rejections_beside_ten_thousand_clips_take_little_more_than_linear_time() -> None:
    rows = [_clip(n, "x", n) for n in range(10_000)]
    compared = []

    class Counted(float):
        """A time that counts with how many others it is compared: places compare for equality first."""

        __hash__ = float.__hash__

        def __eq__(self, other: object) -> bool:
            compared.append(1)
            return float(self) == other

    index = Neighbours(rows)
    for n in range(0, 10_000, 100):
        source = Source(recording="x", start_s=0.0, end_s=20_000.0)
        object.__setattr__(source, "start_s", Counted(n + 0.5))
        index.place_of(source)

    assert 100 * 5 <= len(compared) <= 100 * 15
