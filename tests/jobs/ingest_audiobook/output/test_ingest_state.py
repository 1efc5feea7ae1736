"""Records of finished units, and the refusal of a folder of another ingest."""

from __future__ import annotations

from pathlib import Path

import pytest

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
