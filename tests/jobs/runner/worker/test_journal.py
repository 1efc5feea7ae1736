"""A journal keeps what was finished, whatever ended the process."""

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
