"""Records of finished units, and the refusal of a folder of another ingest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.dataset.manifest import Clip
from jobs.errors import UserError
from jobs.ingest_audiobook.output.ingest_state import IngestState, UnitRecord


def test_records_are_read_up_to_the_first_gap(tmp_path: Path) -> None:
    state = IngestState(tmp_path, {"voice": "a"})
    for index in (0, 1, 3):
        state.add(UnitRecord(index=index, chapter=1, start_24k=0, end_24k=9, clips=[], rejections=[], n_words=0))

    assert [record.index for record in IngestState(tmp_path, {"voice": "a"}).finished()] == [0, 1]


def test_a_folder_of_another_ingest_is_refused_with_what_differs(tmp_path: Path) -> None:
    IngestState(tmp_path, {"voice": "a", "audio": "1"})

    with pytest.raises(UserError) as caught:
        IngestState(tmp_path, {"voice": "b", "audio": "1"})

    assert caught.value.code == "dataset_differs"
    assert "voice" in caught.value.message


@pytest.mark.parametrize("content", ["[" * 100_000, "[1]", "no JSON", '{"voice": "b"}'])
def test_a_changed_record_of_the_inputs_is_another_ingest(tmp_path: Path, content: str) -> None:
    IngestState(tmp_path, {"voice": "a"})
    (tmp_path / ".ingest" / "made_from.json").write_text(content)

    with pytest.raises(UserError) as caught:
        IngestState(tmp_path, {"voice": "a"})

    assert caught.value.code == "dataset_differs"


def test_a_changed_record_of_a_unit_moves_no_file_into_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    state = IngestState(tmp_path / "dataset", {"voice": "a"})
    (state.staged / "00000").mkdir(parents=True)
    clip = Clip(audio="../../../../secret", text="", speaker="a", language="english")
    record = UnitRecord(index=0, chapter=1, start_24k=0, end_24k=9, clips=[clip], rejections=[], n_words=0)
    (state.staged / "00000" / "record.json").write_text(record.model_dump_json(exclude_none=True))

    with pytest.raises(UserError) as caught:
        state.finish_staged(0, 0)

    assert caught.value.code == "dataset_differs"
    assert (tmp_path / "secret").read_text() == "mine"


@pytest.mark.parametrize(
    "altered",
    [{"start_24k": -(10**300)}, {"end_24k": 10**300}, {"n_words": 10**400}, {"chapter": 10**300}, {"index": -1}],
)
def test_figures_that_no_unit_has_are_a_changed_record(tmp_path: Path, altered: dict[str, int]) -> None:
    state = IngestState(tmp_path, {"voice": "a"})
    state.add(UnitRecord(index=0, chapter=1, start_24k=0, end_24k=9, clips=[], rejections=[], n_words=0))
    path = tmp_path / ".ingest" / "unit_00000.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | altered))

    with pytest.raises(UserError) as caught:
        list(IngestState(tmp_path, {"voice": "a"}).finished())

    assert caught.value.code == "dataset_differs"
