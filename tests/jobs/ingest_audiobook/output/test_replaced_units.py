"""Units that are built again: those whose sentences were edited, and neighbours that no longer meet."""

from __future__ import annotations

from pathlib import Path

from jobs.dataset.manifest import Clip, Source
from jobs.ingest_audiobook.input.work_units import WorkUnit
from jobs.ingest_audiobook.output.ingest_state import IngestState, UnitRecord
from jobs.ingest_audiobook.output.replaced_units import set_aside_edited, set_aside_unjoined
from jobs.ingest_audiobook.text.transcript_rows import Sentence

RATE = 24_000


def sentence(start_s: float, text: str) -> Sentence:
    return Sentence(start_s=start_s, end_s=start_s + 2, text=text)


def state_of(folder: Path, *borders_s: float) -> tuple[IngestState, list[WorkUnit]]:
    """Three units with a sentence and a clip each; ``borders_s`` are start and end of each."""
    state = IngestState(folder, {"transcript_file": False})
    units = []
    for index in range(3):
        start_s, end_s = borders_s[2 * index : 2 * index + 2]
        source = Source(recording="a.mp3", start_s=start_s, end_s=end_s)
        record = UnitRecord(
            index=index, start_24k=round(start_s * RATE), end_24k=round(end_s * RATE), rejections=[], n_words=0,
            clips=[Clip(audio=f"clips/{index:06d}.wav", text=f"Text {index}.", source=source)],
            sentences=[sentence(start_s + 1, f"Text {index}.")],
        )  # fmt: skip
        state.add(record)
        units.append(WorkUnit(index, 0, 1, 0, None, seeks_start=index, seeks_end=2 - index))
    return state, units


def test_only_units_with_other_sentences_are_built_again(tmp_path: Path) -> None:
    state, _ = state_of(tmp_path, 0, 10, 10, 20, 20, 30)

    set_aside_edited(state, [[sentence(1, "Text 0."), sentence(11, "Other."), sentence(21, "Text 2.")]])

    assert [state.is_finished(index) for index in range(3)] == [True, False, True]
    assert state.next_number() == 3
    state.drop_replaced()
    assert (tmp_path / ".ingest" / "replaced_00001.json").is_file()  # until it is built again


def test_units_that_no_longer_meet_are_built_again_together(tmp_path: Path) -> None:
    state, units = state_of(tmp_path, 0, 10, 10, 20.5, 20, 30)

    assert set_aside_unjoined(state, units)
    assert [state.is_finished(index) for index in range(3)] == [True, False, False]
    assert not set_aside_unjoined(state, units)


def test_clips_of_a_former_build_go_when_the_new_one_does_not_have_them(tmp_path: Path) -> None:
    state, _ = state_of(tmp_path, 0, 10, 10, 20, 20, 30)
    (tmp_path / "clips").mkdir()
    for index in range(3):
        (tmp_path / "clips" / f"{index:06d}.wav").touch()
    former = state.read(1)
    state.set_aside(former)
    state.add(former.model_copy(update={"clips": [former.clips[0].model_copy(update={"audio": "clips/000003.wav"})]}))

    state.drop_replaced()

    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == ["000000.wav", "000002.wav"]
    assert not list((tmp_path / ".ingest").glob("replaced_*"))
