"""A journal keeps what was finished, whatever ended the process."""

import os

import pytest

from jobs.runner.worker.journal import Journal


def test_what_was_added_is_there_when_it_is_opened_again(tmp_path):
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.add("a", {"words": ["ä"]})

    with Journal(tmp_path / "journal.jsonl") as journal:
        assert journal.get("a") == {"words": ["ä"]}
        assert journal.get("b") is None
        assert len(journal) == 1


def test_a_line_cut_off_by_a_kill_is_forgotten_and_written_over(tmp_path):
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.add("a", {"n": 1})
        journal.add("b", {"n": 2})
    path.write_bytes(path.read_bytes()[:-5])

    with Journal(path) as journal:
        assert journal.get("b") is None
        journal.add("c", {"n": 3})

    with Journal(path) as journal:
        assert (journal.get("a"), journal.get("c"), len(journal)) == ({"n": 1}, {"n": 3}, 2)


def test_a_line_is_on_disk_before_the_next_unit_begins(tmp_path):
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.add("a", {"n": 1})

        assert (tmp_path / "journal.jsonl").read_bytes().endswith(b"\n")


def test_a_removed_journal_leaves_no_file(tmp_path):
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.remove()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ['{"key": ' + "[" * 100_000, '{"key": "x"}', "[]", "null", '{"key": "x", "value": 1'])
def test_what_no_job_wrote_is_dropped_with_all_after_it(line, tmp_path):
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.add("a", 1)
    whole = path.read_bytes()
    path.write_bytes(whole + line.encode() + b"\n" + whole)

    with Journal(path) as journal:
        assert (journal.get("a"), len(journal)) == (1, 1)
    assert path.read_bytes() == whole


def test_a_line_of_gigabytes_is_not_held(tmp_path):
    (tmp_path / "journal.jsonl").touch()
    os.truncate(tmp_path / "journal.jsonl", 3_000_000_000)

    with Journal(tmp_path / "journal.jsonl") as journal:
        assert len(journal) == 0
