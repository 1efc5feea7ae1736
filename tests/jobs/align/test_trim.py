"""The part of a trimmed clip lies beside the new manifest, and the folder of the clips stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.align.trim import AlignedClip, RemovedPart, write_trimmed_clip
from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.dataset.manifest import Clip, Source, Word
from jobs.errors import UserError
from jobs.files.output_marks import compute_hash

ALIGNED = AlignedClip(
    words=[Word(word="two", start_s=0.1, end_s=0.4, score=1.0)],
    text="two",
    start_s=0.5,
    end_s=1.25,
    lost=[RemovedPart(start_s=0.0, end_s=0.5, text="one")],
)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of 1.25 s of a dataset, whose samples rise from 0 to 0.5."""
    (tmp_path / "clips" / "one").mkdir(parents=True)
    path = tmp_path / "clips" / "one" / "a.wav"
    write_clip(path, np.linspace(0, 0.5, 30_000, dtype=np.float32), CLIP_RATE_HZ)
    return path


def test_the_part_takes_the_place_of_the_clip_in_a_folder_of_its_own(clip: Path, tmp_path: Path) -> None:
    before = compute_hash(tmp_path / "clips")
    source = Source(recording="book.wav", start_s=10.0, end_s=11.25)
    row = Clip(audio="clips/one/a.wav", text="one two", duration_s=1.25, source=source)

    moved = write_trimmed_clip(row, clip, ALIGNED, tmp_path, Path("clips/one/a.wav"))

    assert moved.audio == "trimmed/clips/one/a_500-1250.wav"
    assert (moved.text, moved.duration_s) == ("two", 0.75)
    assert moved.source == Source(recording="book.wav", start_s=10.5, end_s=11.25)
    assert read_clip(tmp_path / moved.audio, CLIP_RATE_HZ) == pytest.approx(
        np.linspace(0, 0.5, 30_000)[12_000:], abs=1e-4
    )
    assert compute_hash(tmp_path / "clips") == before


def test_a_link_in_the_place_of_that_folder_is_not_followed(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "trimmed").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UserError, match="path_is_link"):
        write_trimmed_clip(
            Clip(audio="clips/one/a.wav", text="one two"), clip, ALIGNED, tmp_path, Path("clips/one/a.wav")
        )

    assert list((tmp_path / "elsewhere").iterdir()) == []
