"""Choice of the reference clip."""

from __future__ import annotations

from pathlib import Path

from jobs.convert_codes.clip_loader import CodecClip
from jobs.convert_codes.reference_clips import choose_reference


def _clip(number: int, duration_s: float, word_score: float = 0.5, *, is_training: bool = True) -> CodecClip:
    return CodecClip(number, Path(f"{number}.wav"), f"key-{number}", duration_s, "narrator", is_training, word_score)


def test_the_reference_is_the_surest_clip_of_3_to_10_seconds() -> None:
    clips = [_clip(0, 2.0, 1.0), _clip(1, 4.0, 0.7), _clip(2, 6.0, 0.9), _clip(3, 12.0, 1.0)]

    assert choose_reference(clips).number == 2


def test_a_held_out_clip_is_the_reference_only_when_there_is_no_other() -> None:
    held_out = _clip(0, 5.0, 1.0, is_training=False)

    assert choose_reference([held_out, _clip(1, 4.0, 0.1)]).number == 1
    assert choose_reference([held_out, _clip(1, 2.0, 0.9)]).number == 0


def test_without_a_clip_of_good_length_the_nearest_is_taken() -> None:
    assert choose_reference([_clip(0, 1.0, 1.0), _clip(1, 2.5, 0.2), _clip(2, 14.0, 1.0)]).number == 1
