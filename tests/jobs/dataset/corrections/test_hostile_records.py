"""Records of corrections that contradict themselves or that no person wrote: refused with a reason, in linear time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.dataset.corrections.edits import EditIndex, fold
from jobs.dataset.corrections.places import place_key
from jobs.dataset.corrections.record import Change, Part, read_corrections, record, record_of
from jobs.dataset.manifest import Source
from jobs.errors import UserError
from tests.support.hostile.limits import assert_linear

CLIP = "book.wav@1.000-4.000"


def write(dataset: Path, *lines: dict[str, Any]) -> None:
    common = {"id": "a", "at": 1, "clip": CLIP, "action": "change"}
    record_of(dataset).write_text("".join(json.dumps(common | line) + "\n" for line in lines))


def test_borders_that_contradict_earlier_ones_are_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    record(tmp_path, [Change(clip=CLIP, parts=[Part(start_s=1.2, end_s=3.0)])], [CLIP], [""], "Ada")

    with pytest.raises(UserError, match=r"start_s=1\.2, end_s=3") as refused:
        record(tmp_path, [Change(clip=CLIP, parts=[Part(start_s=8.0)])], [CLIP], [""], "Ada")

    assert refused.value.code == "bad_arguments"
    assert len(read_corrections(record_of(tmp_path))) == 1


def test_of_borders_that_contradict_each_other_in_a_record_the_later_count(tmp_path: Path) -> None:
    write(tmp_path, {"parts": [{"text": "Right.", "start_s": 1.2, "end_s": 3}]}, {"parts": [{"start_s": 8}]})

    assert fold(read_corrections(record_of(tmp_path)))[CLIP].parts == (Part(text="Right.", start_s=8.0),)


@pytest.mark.parametrize("line", [{}, {"parts": [{"text": "a"}, {"text": "b"}]}, {"action": "drop", "parts": [{}]}])
def test_a_line_that_no_change_could_be_is_refused_by_its_number(tmp_path: Path, line: dict[str, Any]) -> None:
    write(tmp_path, {"parts": [{"text": "a"}]}, line)

    with pytest.raises(UserError, match="line 2") as refused:
        read_corrections(record_of(tmp_path))

    assert refused.value.code == "manifest_unreadable"


def test_a_place_of_endless_digits_is_no_place(tmp_path: Path) -> None:
    write(tmp_path, {"clip": f"book.wav@0.0-{'9' * 400}.0", "parts": [{"text": "a"}]})

    edits = EditIndex(fold(read_corrections(record_of(tmp_path))))

    assert edits.match({CLIP: Source(recording="book.wav", start_s=1.0, end_s=4.0)}) == {}


def test_thousands_of_changes_are_stored_and_found_again_in_linear_time(tmp_path: Path) -> None:
    def store_and_find(n: int) -> None:
        dataset = tmp_path / str(n)
        dataset.mkdir(exist_ok=True)
        places = [Source(recording="book.wav", start_s=2.0 * k, end_s=2.0 * k + 1) for k in range(n)]
        keys = [place_key(place) for place in places]
        record(dataset, [Change(clip=key, action="drop") for key in keys], keys, [""] * n, "Ada")
        edits = EditIndex(fold(read_corrections(record_of(dataset))))
        moved = [place.model_copy(update={"end_s": place.end_s + 0.1}) for place in places]
        assert len(edits.match({place_key(place): place for place in moved})) == n

    assert_linear(store_and_find, 500)


@pytest.mark.parametrize(("part", "said"), [(Part(end_s=0.5), "from 1 to 0.5 s"), (Part(start_s=3.95), "from 3.95 to")])
def test_a_border_that_contradicts_the_other_one_of_the_ingest_is_refused(
    tmp_path: Path, part: Part, said: str
) -> None:
    with pytest.raises(UserError, match=said) as refused:
        record(tmp_path, [Change(clip=CLIP, parts=[part])], [CLIP], [""], "Ada")

    assert refused.value.code == "bad_arguments"
    assert read_corrections(record_of(tmp_path)) == []
