"""Batches of clips."""

from __future__ import annotations

from pathlib import Path

from jobs.convert_codes.clip_loader import CodecClip, batch_by_length


def test_a_batch_holds_clips_of_like_length_up_to_its_seconds() -> None:
    clips = [
        CodecClip(number, Path("a.wav"), f"key-{number}", duration_s, "narrator", True, 0.5)
        for number, duration_s in enumerate([2.0, 9.0, 4.0, 2.5, 5.0, 70.0])
    ]

    grouped = [[clip.duration_s for clip in batch] for batch in batch_by_length(clips, 10.0)]

    assert grouped == [[70.0], [9.0], [5.0, 4.0], [2.5, 2.0]]
