"""Marks tell what jobs have made from what is somebody else's."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from pathlib import Path

import pytest

from jobs.files.output_marks import (
    MOST_FOLDER_BYTES,
    MOST_RECORD_BYTES,
    MOST_RECORDS,
    RECORDS,
    Place,
    compute_hash,
    last_change,
    read_records,
    seal_for,
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Outputs of a training in ``out``."""
    (tmp_path / "out").mkdir()
    return Place(tmp_path / "out", ("voice", "report.json", "trial_*/"), "training.out_dir")


def known(job: str, folder: Path) -> float | None:
    """Jobs of this home, none of which has ended."""
    return math.inf if job in ("training-1", "align-1", "search-1") else None


def fill(place: Place) -> None:
    """Write what the training writes."""
    (place.folder / "voice").mkdir()
    (place.folder / "voice" / "config.json").write_text("{}")
    (place.folder / "report.json").write_text("{}")
    (place.folder / "trial_1").mkdir()


def test_other_names_in_the_folder_are_in_nobodys_way(place: Place) -> None:
    (place.folder / "notes.txt").write_text("mine")

    assert place.foreign(known) == place.existing() == []


def test_what_is_there_without_a_mark_is_foreign(place: Place) -> None:
    fill(place)

    assert place.foreign(known) == ["report.json", "trial_1", "voice"]


@pytest.mark.parametrize(
    ("change", "foreign"),
    [
        ("written", ["report.json"]),
        ("moved with its time", ["report.json"]),
        ("copied with its time", ["report.json"]),
        ("written in a folder", ["voice"]),
        ("a folder moved with its times", ["voice"]),
        ("moved into a folder", ["voice"]),
        ("written in a folder that jobs continue", []),
    ],
)
def test_what_came_after_the_end_of_a_job_whose_machine_stopped_is_not_ours(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, foreign: list[str]
) -> None:
    monkeypatch.setattr("jobs.files.output_marks.SLACK_S", 0.0)
    mine = tmp_path / "mine"
    (mine / "voice").mkdir(parents=True)
    for name in ("report.json", "voice/config.json"):
        (mine / name).write_text("mine")
        os.utime(mine / name, (1_000_000, 1_000_000))
    place.claim("training-1")
    fill(place)
    ended = max(last_change(place.folder / name) for name in place.existing())

    def until(job: str, folder: Path) -> float | None:
        return ended if job == "training-1" else None

    assert place.foreign(until) == []
    wait_for_the_clock_of_files(tmp_path, ended)
    if change == "written":
        (place.folder / "report.json").write_text("mine")
    elif change == "moved with its time":
        (mine / "report.json").replace(place.folder / "report.json")
    elif change == "copied with its time":
        shutil.copy2(mine / "report.json", place.folder / "report.json")
    elif change == "written in a folder":
        (place.folder / "voice" / "mine.txt").write_text("my own")
    elif change == "a folder moved with its times":
        shutil.rmtree(place.folder / "voice")
        (mine / "voice").rename(place.folder / "voice")
    elif change == "moved into a folder":
        (mine / "voice").rename(place.folder / "voice" / "monday")
    else:
        (place.folder / "trial_1" / "notes.txt").write_text("my own")

    assert place.foreign(until) == foreign
    assert place.foreign(known) == []


def wait_for_the_clock_of_files(folder: Path, after: float) -> None:
    """Write a file until the time of its change is a later one: a file system's clock ticks every few milliseconds."""
    while True:
        (folder / "clock").write_text("")
        if (folder / "clock").stat().st_ctime > after:
            return


def test_a_killed_jobs_mark_is_completed_once_and_for_its_own_job(place: Place) -> None:
    place.claim("training-1")
    fill(place)
    before = place.path.read_bytes()

    seal_for("align-1", place.path)
    assert place.path.read_bytes() == before
    seal_for("training-1", place.path)
    after = place.path.read_bytes()
    (place.folder / "report.json").write_text("mine")
    seal_for("training-1", place.path)

    assert before != after == place.path.read_bytes()
    assert place.foreign(known) == ["report.json"]


def test_only_files_among_marks_are_completed(place: Place, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    text = '{"job": "training-1", "names": ["*"], "made": null}'
    elsewhere.write_text(text)

    seal_for("training-1", elsewhere)

    assert elsewhere.read_text() == text


def test_what_a_job_may_have_written_before_it_was_killed_is_ours(place: Place) -> None:
    place.claim("training-1")
    fill(place)

    assert place.existing() == ["report.json", "trial_1", "voice"]
    assert place.foreign(known) == []


@pytest.mark.parametrize(
    ("changed", "foreign"),
    [
        ("nothing", []),
        ("report.json", ["report.json"]),
        ("voice/notes.txt", ["voice"]),
        ("trial_2", ["trial_2"]),
        ("trial_1/notes.txt", []),
        ("notes.txt", []),
        ("voice/.DS_Store", []),
        ("voice/._config.json", []),
        ("voice/Thumbs.db", []),
        ("voice/desktop.ini", []),
        ("voice/human_ratings.jsonl", []),
    ],
)
def test_what_was_changed_after_a_job_is_foreign(place: Place, changed: str, foreign: list[str]) -> None:
    place.claim("training-1")
    fill(place)
    place.seal("training-1")

    if changed != "nothing":
        (place.folder / changed).write_text("by hand")

    assert place.foreign(known) == foreign


def test_a_link_is_never_ours(place: Place, tmp_path: Path) -> None:
    place.claim("training-1")
    (place.folder / "voice").symlink_to(tmp_path)

    assert place.foreign(known) == ["voice"]


def test_two_kinds_mark_the_same_folder_and_the_newer_file_counts(place: Place) -> None:
    other = Place(place.folder, ("report.json",), "align.report")
    place.claim("training-1")
    fill(place)
    place.seal("training-1")

    other.claim("align-1")
    (place.folder / "report.json").write_text("newer")
    other.seal("align-1")

    assert place.foreign(known) == other.foreign(known) == []


def test_a_folder_inside_what_a_running_job_makes_is_ours(place: Place) -> None:
    place.claim("search-1")
    inner = Place(place.folder / "trial_1", ("voice",), "training.out_dir")
    (inner.folder / "voice").mkdir(parents=True)

    assert inner.foreign(known) == []


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", '{"made": 3}', "[" * 100_000, '{"job": "training-1", "names": ["*"], "made": {"voice": 1}}',
        '{"job": "training-1", "names": 5, "made": null}', '{"names": ["*"], "made": null}',
        '{"job": "of-a-stranger", "names": ["*"], "made": null}', '{"job": "training-1", "names": ["*"' + " " * 70_000,
        '{"job": "training-1", "names": ["*"], "made": null}' + " " * MOST_RECORD_BYTES,
        '{"job": "\\ud800", "names": ["*"], "made": null}',
    ],
)  # fmt: skip
def test_a_broken_or_invented_mark_makes_nothing_ours(place: Place, content: str) -> None:
    fill(place)
    (place.folder / RECORDS).mkdir()
    (place.folder / RECORDS / "training.out_dir.json").write_text(content)

    assert place.foreign(known) == ["report.json", "trial_1", "voice"]


def test_no_job_is_asked_for_by_a_name_that_no_text_can_hold(place: Place) -> None:
    (place.folder / RECORDS).mkdir()
    (place.folder / RECORDS / "x.json").write_text('{"job": "\\ud800", "names": ["*"], "made": null}')

    assert list(read_records(place.folder)) == []


def test_a_folder_that_the_next_writer_would_give_its_name_back_is_foreign_unless_a_job_made_it(place: Place) -> None:
    former = place.folder / ".voice.0123456789abcdef.tts-train-former"
    former.mkdir()
    (former / "config.json").write_text("{}")

    assert place.existing() == place.foreign(known) == ["voice"]

    place.claim("training-1")  # killed between the two steps of an exchange

    assert place.foreign(known) == []
    place.seal("training-1")
    assert place.foreign(known) == []
    (former / "config.json").write_text("of a stranger")
    assert place.foreign(known) == ["voice"]


def test_a_mark_names_the_job_and_the_hash_of_each_file(place: Place) -> None:
    place.claim("training-1")
    fill(place)
    place.seal("training-1")

    assert json.loads((place.folder / RECORDS / "training.out_dir.json").read_text()) == {
        "job": "training-1",
        "names": ["voice", "report.json", "trial_*/"],
        "made": {"trial_1": ""} | {name: compute_hash(place.folder / name) for name in ("report.json", "voice")},
    }
    assert compute_hash(place.folder / "report.json").startswith("44136fa355b3678a")  # sha256sum of {}


def test_a_folder_with_a_link_or_a_file_in_the_place_of_a_continued_one_is_foreign(place: Place) -> None:
    place.claim("training-1")
    fill(place)
    place.seal("training-1")
    (place.folder / "trial_1").rmdir()

    (place.folder / "trial_1").write_text("mine")
    as_file = place.foreign(known)
    (place.folder / "trial_1").unlink()
    (place.folder / "trial_1").symlink_to(place.folder / "voice")

    assert as_file == place.foreign(known) == ["trial_1"]


def test_so_many_records_are_read_and_so_much_of_them(place: Place) -> None:
    records = place.folder / RECORDS
    records.mkdir()
    mark = '{"job": "training-1", "names": ["*"], "made": null}'
    for number in range(MOST_RECORDS + 1):
        (records / f"{number:03d}.json").write_text(mark)
    few_and_small = len(list(read_records(place.folder)))
    for number in range(3):
        (records / f"{number:03d}.json").write_text(mark + " " * (MOST_RECORD_BYTES - len(mark)))

    assert few_and_small == MOST_RECORDS == 256
    assert len(list(read_records(place.folder))) == MOST_FOLDER_BYTES / MOST_RECORD_BYTES == 2


def test_a_folder_below_is_ours_only_while_the_job_goes_on(place: Place) -> None:
    place.claim("training-1")
    inner = Place(place.folder / "trial_1" / "mine", ("001.wav",), "synthesize.out_dir")
    inner.folder.mkdir(parents=True)
    (inner.folder / "001.wav").write_text("mine")

    assert inner.foreign(known) == []
    assert inner.foreign(lambda job, folder: time.time() + 1 if job == "training-1" else None) == ["001.wav"]


def test_patterns_of_strangers_cost_no_time(place: Place) -> None:
    """The standard library compiles a pattern of opening brackets in quadratic time."""
    fill(place)
    for folder in (place.folder, place.folder.parent):
        (folder / RECORDS).mkdir()
        names = ["[" * 1_900_000]
        (folder / RECORDS / "a.json").write_text(json.dumps({"job": "training-1", "names": names, "made": None}))
    began = time.process_time()

    assert place.foreign(known) == ["report.json", "trial_1", "voice"]
    assert time.process_time() - began < 1


def test_a_pipe_among_the_records_is_not_waited_for(place: Place) -> None:
    fill(place)
    (place.folder / RECORDS).mkdir()
    os.mkfifo(place.folder / RECORDS / "a.json")

    assert place.foreign(known) == ["report.json", "trial_1", "voice"]


def test_records_of_strangers_above_a_folder_make_nothing_ours(place: Place) -> None:
    fill(place)
    (place.folder.parent / RECORDS).mkdir()
    (place.folder.parent / RECORDS / "e.json").write_text('{"job": "e", "names": ["*"], "made": null}')

    assert place.foreign(known) == ["report.json", "trial_1", "voice"]


def test_an_edit_of_the_same_size_in_a_folder_is_seen(place: Place) -> None:
    place.claim("training-1")
    fill(place)
    place.seal("training-1")
    edited = place.folder / "voice" / "config.json"
    edited.write_text("[]")
    os.utime(edited, ns=(1, 1))

    assert place.foreign(known) == ["voice"]
