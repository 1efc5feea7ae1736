"""Manifests: what honest ones hold is read, and what a stranger may have written is refused with the line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.manifest import Clip, Row, TimedWord, read_numbered_rows, read_rows, write_rows
from jobs.dataset.takes import Take, read_takes
from jobs.errors import UserError
from jobs.files.output_marks import HUMAN_RATINGS
from jobs.files.reading import LONGEST_LINE_BYTES
from jobs.rating.human_ratings import read_opinions
from tests.support.hostile.limits import MOST_BYTES, MOST_S
from tests.support.hostile.manifests import CLIP, REFUSED, of_clip, of_line
from tests.support.hostile.measuring import measure

REFUSALS = {"manifest_unreadable", "file_not_regular", "line_too_long"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from([*Clip.model_fields, "start_s", "winner", "score", "at", "x"])


def read_clips(path: Path) -> list[Clip]:
    """Read a manifest, also for ``measure``."""
    return list(read_rows(path, Clip))


def code_of(read: Callable[[], object]) -> str:
    """Return the code of the refusal, or nothing."""
    try:
        read()
    except UserError as error:
        return error.code
    return ""


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_clip_can_be_is_refused(name: str, tmp_path: Path) -> None:
    path = REFUSED[name](tmp_path)

    with pytest.raises(UserError) as caught:
        read_clips(path)

    assert caught.value.code in REFUSALS
    assert len(caught.value.message) < 1_000


def test_all_of_them_cost_little() -> None:
    for cost in measure("tests.support.hostile.manifests:BUILDERS", f"{__name__}:read_clips"):
        assert cost.cpu_s < MOST_S, cost
        assert cost.peak_bytes < MOST_BYTES, cost


def test_a_coded_line_of_the_longest_clip_fits_19_times(tmp_path: Path) -> None:
    word = TimedWord(word="incomprehensibilities", start_s=59.123, end_s=59.456, score=0.987)
    clip = Clip.model_validate(CLIP | {"audio_codes": [[2047] * 16] * 750, "words": [word] * 180})

    write_rows(tmp_path / "m.jsonl", [clip])

    assert (tmp_path / "m.jsonl").stat().st_size * 19 < LONGEST_LINE_BYTES
    assert read_clips(tmp_path / "m.jsonl") == [clip]


def test_unknown_fields_and_line_numbers_are_kept(tmp_path: Path) -> None:
    path = of_line("", json.dumps(CLIP | {"mine": {"a": [1]}}), "")(tmp_path)

    ((number, row),) = read_numbered_rows(path, Clip)

    assert (number, row.model_extra) == (2, {"mine": {"a": [1]}})


def test_of_very_many_faults_the_first_is_named(tmp_path: Path) -> None:
    path = of_clip(words="!" + "[" + "{}," * 600_000 + "{}]")(tmp_path)

    with pytest.raises(UserError) as caught:
        read_clips(path)

    assert "words.0.word: Field required" in caught.value.message


def test_takes_and_ratings_are_bounded_alike(tmp_path: Path) -> None:
    (tmp_path / "takes.jsonl").write_text('{"audio": "a.wav", "duration_s": 1e400}\n')
    (tmp_path / HUMAN_RATINGS).write_text('{"audio": "a.wav", "text": "", "score": 5, "at": 1e300}\n')

    assert code_of(lambda: read_takes(tmp_path)) == "manifest_unreadable"
    assert code_of(lambda: read_opinions(tmp_path)) == "manifest_unreadable"


@pytest.mark.parametrize("name", ["../a.wav", "/etc/hostname", "loop", "out", "a\0b", "x/" * 3_000])
def test_audio_outside_is_never_resolved(name: str, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    root.mkdir()
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to("/etc/hostname")

    found: list[Path] = []
    code = code_of(lambda: found.append(AudioRoots().find(root / "m.jsonl", root, name)))

    assert code == ("" if name == "loop" else "path_outside_dataset")
    assert all(path.is_relative_to(root.resolve()) for path in found)


@settings(max_examples=50, deadline=None)
@given(line=st.dictionaries(FIELDS, JSON, max_size=6), raw=st.binary(max_size=60))
def test_any_line_is_read_or_refused(
    line: dict[str, object], raw: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("m") / "m.jsonl"
    path.write_bytes(json.dumps(CLIP | line).encode() + b"\n" + raw + b"\n")

    codes = {code_of(lambda model=model: list(read_rows(path, model))) for model in (Take, Clip, Row)}  # type: ignore[misc]

    assert codes <= {"", "manifest_unreadable"}


def test_four_times_the_lines_take_about_four_times_the_time(tmp_path: Path) -> None:
    def cost_s(n_lines: int) -> float:
        path = of_line(*[json.dumps(CLIP)] * n_lines)(tmp_path)
        start = time.process_time()
        assert sum(1 for _ in read_rows(path, Clip)) == n_lines
        return time.process_time() - start

    small, large = min(cost_s(4_000) for _ in range(3)), min(cost_s(16_000) for _ in range(3))

    assert large < 10 * small
