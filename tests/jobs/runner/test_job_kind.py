"""What follows from the declaration of a kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.runner.job_kind import Output, all_kinds, load_entry, load_kind


def test_kinds_are_found_in_the_order_of_the_work() -> None:
    names = list(all_kinds())

    assert names[:4] == ["setup", "ingest_audiobook", "ingest_clips", "apply_corrections"]
    assert names[4:6] == ["align", "convert_codes"]
    assert all(kind.tool is not None and kind.tool.title and kind.tool.next for kind in all_kinds().values())
    assert len({kind.tool_name for kind in all_kinds().values()}) == len(names)


@pytest.mark.parametrize("name", list(all_kinds()))
def test_a_stored_job_finds_its_kind_by_module_and_name(name: str) -> None:
    kind = all_kinds()[name]

    assert load_kind(f"jobs.{name}.spec", name) is kind
    with pytest.raises(LookupError):
        load_kind(f"jobs.{name}.spec", "other")


@pytest.mark.parametrize("entry", [kind.plan or kind.suggest for kind in all_kinds().values() if kind.plan])
def test_an_entry_is_a_function(entry: str) -> None:
    assert callable(load_entry(entry))


def test_a_default_path_is_made_of_the_parameters() -> None:
    beside = Output("aligned", "manifest", parameter="out", default="{manifest.parent}/aligned.jsonl")
    at_home = Output("ingested", "manifest", parameter="out_dir", path="m.jsonl", default="{home}/datasets/{voice}")

    assert beside.default_for({"manifest": "/d/m.jsonl", "n": 3}, Path("/home")) == "/d/aligned.jsonl"
    assert at_home.default_for({"voice": "anna", "root": None}, Path("/home")) == "/home/datasets/anna"
    assert (beside.file_name, at_home.file_name) == ("aligned.jsonl", "m.jsonl")
