"""A job is not submitted when it would replace what no job has made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from jobs.errors import UserError
from jobs.files.output_marks import RECORDS
from jobs.param_types import OutputPath, Strict
from jobs.runner import outputs
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import JobKind, all_kinds
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings


class Params(Strict):
    """A folder and a file to write."""

    out_dir: OutputPath = ""
    out: OutputPath = ""
    n: int = 0


class Result(Strict):
    """Nothing."""


KIND = JobKind(
    name="writing", params=Params, result=Result, entry="tiny_kinds:add",
    makes={"out_dir": ("voice", "trial_*/"), "out": ("{name}.new", "rejections.jsonl")},
)  # fmt: skip


@pytest.fixture
def submit(settings: Settings) -> Callable[..., str]:
    """Submit a job that no supervisor runs before a day has passed; return its id."""
    runner = Runner(settings)

    def call(after: tuple[str, ...] = (), **params: object) -> str:
        return runner.submit(KIND, Params(**params), not_before=4e9, after=after).job.job_id

    return call


def refusal(call: Callable[[], object]) -> UserError:
    """The error that a call ends with."""
    with pytest.raises(UserError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("name", ["voice", "trial_7"])
def test_a_users_folder_is_not_replaced(submit: Callable[..., str], tmp_path: Path, name: str) -> None:
    (tmp_path / "out" / name).mkdir(parents=True)
    (tmp_path / "out" / "notes.txt").write_text("mine")

    error = refusal(lambda: submit(out_dir=str(tmp_path / "out")))

    assert error.code == "output_not_ours"
    assert f"{tmp_path / 'out'} holds {name}," in error.message
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(["notes.txt", name])


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.new", "rejections.jsonl"])
def test_a_users_file_is_not_replaced(submit: Callable[..., str], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")

    assert refusal(lambda: submit(out=str(tmp_path / "x.jsonl"))).code == "output_not_ours"

    assert (tmp_path / name).read_text() == "mine"
    assert submit(out=str(tmp_path / "other" / "y.jsonl"))


def test_a_file_where_a_folder_is_needed_and_a_link_are_refused(submit: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "voice").symlink_to(tmp_path)

    assert refusal(lambda: submit(out_dir=str(tmp_path / "file"))).code == "path_unusable"
    assert refusal(lambda: submit(out_dir=str(tmp_path / "out"))).code == "output_not_ours"


def test_outputs_of_jobs_from_before_marks_are_known_by_the_store(
    submit: Callable[..., str], settings: Settings, tmp_path: Path
) -> None:
    old = submit(out_dir=str(tmp_path / "out"))  # nothing is in the way yet
    (tmp_path / "out" / "voice").mkdir(parents=True)
    assert refusal(lambda: submit(out_dir=str(tmp_path / "out"), n=2)).code == "output_not_ours"  # it never ran
    store = Store(Home(settings.home))
    with store.transaction() as connection:  # as a version wrote it that made no marks
        connection.execute("UPDATE jobs SET document = json_remove(document, '$.output_jobs') WHERE id = ?", (old,))

    assert Runner(settings).check(KIND, Params(out_dir=str(tmp_path / "out"), n=2))[0] is None
    assert not (tmp_path / "out" / RECORDS).exists()  # a dry run writes nothing
    assert submit(out_dir=str(tmp_path / "out"), n=2)
    assert (tmp_path / "out" / RECORDS).is_dir()


def believed(settings: Settings, job_id: str) -> list[str]:
    """The jobs whose marks a job's worker believes."""
    row = Store(Home(settings.home)).get(job_id)
    assert row is not None
    return list(json.loads(row.document)["output_jobs"])


def test_every_job_of_a_chain_believes_those_that_write_there_before(
    submit: Callable[..., str], settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = submit(out_dir=str(out))
    elsewhere = submit(out_dir=str(tmp_path / "outside"), n=1)
    second = submit(after=(first,), out_dir=str(out), n=2)
    third = submit(after=(second,), out_dir=str(out), n=3)
    places = outputs.find_places(KIND, Params(out_dir=str(out)), settings.home)

    assert believed(settings, third) == sorted([first, second])
    assert elsewhere not in believed(settings, third)
    for job_id in (first, second, third):  # what their workers do
        outputs.claim(places, job_id, believed(settings, job_id))
        (out / "voice").mkdir(exist_ok=True)
        (out / "voice" / "made by").write_text(job_id)
        outputs.seal(places, job_id)


def test_marks_hold_in_a_home_that_was_moved(settings: Settings, tmp_path: Path) -> None:
    inner = settings.home / "voices" / "anna"
    job_id = Runner(settings).submit(KIND, Params(out_dir=str(inner)), not_before=4e9).job.job_id
    (place,) = outputs.find_places(KIND, Params(out_dir=str(inner)), settings.home)
    place.claim(job_id)
    (inner / "voice").mkdir()
    place.seal(job_id)
    moved = replace(settings, home=settings.home.rename(tmp_path / "another disk"))
    new, other = (Params(out_dir=str(moved.home / "voices" / name)) for name in ("anna", "berta"))
    shutil.copytree(moved.home / "voices" / "anna", moved.home / "voices" / "berta")

    assert Runner(moved).check(KIND, new, reuse=False)[0] is None
    assert refusal(lambda: Runner(moved).check(KIND, other, reuse=False)).code == "output_not_ours"  # a copy


def test_a_worker_marks_what_it_made_and_looks_again(settings: Settings, tmp_path: Path) -> None:
    params = Params(out_dir=str(tmp_path / "out"), out=str(tmp_path / "a*b.jsonl"))
    places = outputs.find_places(KIND, params, settings.home)

    outputs.claim(places, "writing-1")
    (tmp_path / "out" / "voice").mkdir(parents=True)
    (tmp_path / "a*b.jsonl").write_text("{}")
    (tmp_path / "axb.jsonl").write_text("mine")
    outputs.seal(places, "writing-1")

    assert outputs.list_replaced(places) == [str(tmp_path / "out" / "voice"), str(tmp_path / "a*b.jsonl")]
    outputs.claim(places, "writing-2", ["writing-1"])
    (tmp_path / "rejections.jsonl").mkdir()
    outputs.seal(places, "writing-2")
    outputs.claim(places, "writing-3", ["writing-2"])
    outputs.seal(places, "writing-3")
    assert refusal(lambda: outputs.claim(places, "writing-4")).code == "output_not_ours"  # of a job that is not known
    (tmp_path / "a*b.jsonl").write_text("by hand")
    assert refusal(lambda: outputs.claim(places, "writing-4", ["writing-3"])).code == "output_not_ours"


def test_a_jobs_own_folder_is_its_own(settings: Settings) -> None:
    inner = settings.home / "jobs" / "writing-1" / "out"

    assert outputs.find_places(KIND, Params(out_dir=str(inner)), settings.home) == []


@pytest.mark.parametrize("kind", all_kinds().values(), ids=lambda kind: kind.name)
def test_every_kind_says_what_it_makes(kind: JobKind) -> None:
    model: type[BaseModel] = kind.params
    folders = {name for name in model.model_fields if name in ("out_dir",)}

    assert folders <= set(kind.makes)
    assert set(kind.makes) <= set(model.model_fields)
