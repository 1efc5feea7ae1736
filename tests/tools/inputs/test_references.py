"""A dataset, a voice or a job named where a path is wanted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.param_types import AlignedManifest, CodedManifest, ConfigPath, IngestedManifest, ModelRef, Strict, TakesPath
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.settings import Settings
from tools.inputs.paths import resolve_paths
from tools.inputs.references import find_job_output

JOB = "training-20261122-131144-7f3a"


class Args(Strict):
    """One of each."""

    ingested: IngestedManifest | None = None
    aligned: AlignedManifest | None = None
    coded: CodedManifest | None = None
    takes: TakesPath | None = None
    config: ConfigPath | None = None
    model: ModelRef | None = None


def resolved(settings: Settings, **given: str) -> Args:
    """What the worker would get."""
    return resolve_paths(Args(**given), settings, Runner(settings))


def refusal_of(settings: Settings, **given: str) -> UserError:
    """The error that is raised."""
    with pytest.raises(UserError) as refusal:
        resolved(settings, **given)
    return refusal.value


def make(folder: Path, *names: str) -> Path:
    """A folder with files."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("{}")
    return folder


@pytest.mark.parametrize("base", ["work", "home"])
def test_a_datasets_name_is_the_manifest_of_the_step(settings: Settings, base: str) -> None:
    home = settings.roots[0] if base == "work" else settings.home
    folder = make(
        home / "datasets" / "horus", "train_manifest.jsonl", "train_aligned.jsonl", "train_manifest_qwen3.jsonl"
    )

    done = resolved(settings, ingested="horus", aligned="horus", coded="horus")

    assert done.ingested == str(folder / "train_manifest.jsonl")
    assert done.aligned == str(folder / "train_aligned.jsonl")
    assert done.coded == str(folder / "train_manifest_qwen3.jsonl")


def test_a_server_that_starts_in_no_folder_of_work_knows_the_names_in_the_home(settings: Settings) -> None:
    folder = make(settings.home / "datasets" / "horus", "train_manifest.jsonl")
    started_anywhere = replace(settings, roots=(settings.home,))

    assert resolved(started_anywhere, ingested="horus").ingested == str(folder / "train_manifest.jsonl")
    assert resolved(started_anywhere, ingested="datasets/horus").ingested == str(folder / "train_manifest.jsonl")


def test_a_datasets_folder_is_the_manifest_of_the_step(settings: Settings, work: Path) -> None:
    folder = make(work / "mine" / "set", "train_manifest.jsonl")

    assert resolved(settings, ingested="mine/set").ingested == str(folder / "train_manifest.jsonl")
    assert resolved(settings, ingested=str(folder)).ingested == str(folder / "train_manifest.jsonl")


def test_the_dataset_of_make_voice_goes_by_the_voices_name(settings: Settings) -> None:
    folder = make(settings.home / "voices" / "anna" / "dataset", "train_manifest_qwen3.jsonl")

    assert resolved(settings, coded="anna").coded == str(folder / "train_manifest_qwen3.jsonl")


def test_a_dataset_that_has_not_come_so_far_names_the_call_that_comes_first(settings: Settings, work: Path) -> None:
    folder = make(work / "datasets" / "horus", "train_manifest.jsonl")

    refusal = refusal_of(settings, coded="horus")

    assert refusal.code == "dataset_unready"
    assert refusal.hint == f'Call align manifest="{folder / "train_manifest.jsonl"}" first.'


def test_a_misspelt_dataset_names_the_nearest(settings: Settings, work: Path) -> None:
    make(work / "datasets" / "horus", "train_manifest.jsonl")

    refusal = refusal_of(settings, ingested="hours")

    assert refusal.code == "dataset_unknown"
    assert "Did you mean 'horus'?" in refusal.message
    assert "Known: horus." in refusal.message


def test_a_name_of_two_datasets_is_not_guessed(settings: Settings, work: Path) -> None:
    make(work / "datasets" / "horus", "train_manifest.jsonl")
    make(settings.home / "datasets" / "horus", "train_manifest.jsonl")

    assert refusal_of(settings, ingested="horus").code == "name_ambiguous"


@pytest.mark.parametrize("inner", ["voice", "training/voice", "final_model", "."])
def test_a_voices_name_is_its_weights(settings: Settings, inner: str) -> None:
    folder = make(settings.home / "voices" / "anna" / inner, "config.json")

    assert resolved(settings, model="anna").model == str(folder.resolve())


def test_a_misspelt_voice_names_the_nearest(settings: Settings) -> None:
    make(settings.home / "voices" / "anna" / "voice", "config.json")

    refusal = refusal_of(settings, model="ana")

    assert refusal.code == "model_unavailable"
    assert "Did you mean 'anna'?" in refusal.message


def test_a_dataset_that_is_a_link_out_of_the_roots_is_refused(settings: Settings, work: Path, tmp_path: Path) -> None:
    make(tmp_path / "outside", "train_manifest.jsonl")
    (work / "datasets").mkdir()
    (work / "datasets" / "horus").symlink_to(tmp_path / "outside")

    assert refusal_of(settings, ingested="horus").code == "path_outside_roots"
    assert refusal_of(settings, ingested="datasets/horus").code == "path_outside_roots"


class Known:
    """A runner that knows one job."""

    def __init__(self, **fields: object) -> None:
        self.record = JobRecord.model_validate({"job_id": JOB, "kind": "training", "folder": "/j"} | fields)

    def get(self, job_id: str) -> JobRecord:
        """The job."""
        return self.record


def test_a_finished_job_stands_for_what_it_was_run_for() -> None:
    trained = Known(state="succeeded", result={"voice": "/v"})
    coded = Known(kind="convert_codes", state="succeeded", result={"manifest": "/m"})

    assert find_job_output(JOB, "voice", "model", trained, ()) == "/v"
    assert find_job_output(JOB, "coded", "manifest", coded, ()) == "/m"


def test_a_job_that_the_call_waits_for_stands_for_what_it_will_write() -> None:
    trained = Known(state="queued", params={"out_dir": ""})
    aligned = Known(kind="align", state="running", params={"out": "/d/train_aligned.jsonl"})
    ingested = Known(kind="ingest_clips", state="queued", params={"out_dir": "/d"})

    assert find_job_output(JOB, "voice", "model", trained, [JOB]) == "/j/out/voice"
    assert find_job_output(JOB, "aligned", "manifest", aligned, [JOB]) == "/d/train_aligned.jsonl"
    assert find_job_output(JOB, "ingested", "manifest", ingested, [JOB]) == "/d/train_manifest.jsonl"


def test_a_job_that_is_not_waited_for_is_refused_with_both_ways_to_wait() -> None:
    with pytest.raises(UserError) as refusal:
        find_job_output(JOB, "voice", "model", Known(state="running"), ())

    assert refusal.value.code == "job_unfinished"
    assert f'get_job job_id="{JOB}" wait_s=50' in refusal.value.hint
    assert f'after=["{JOB}"]' in refusal.value.hint


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_a_job_that_made_nothing_of_the_kind_is_refused(state: str) -> None:
    with pytest.raises(UserError) as refusal:
        find_job_output(JOB, "takes", "takes", Known(state=state, result={"voice": "/v"}), ())

    assert refusal.value.code == "job_without"


@pytest.mark.parametrize(
    "path",
    [
        "file:///etc/passwd",
        "file://%2e%2e/x",
        "file://elsewhere/etc",
        "a/../../outside",
        "~/x",
        "a/\0",
    ],
)
def test_addresses_and_tricks_lead_nowhere(settings: Settings, path: str) -> None:
    assert refusal_of(settings, takes=path.replace("\\0", "\0")).code in ("path_outside_roots", "path_unusable")


@pytest.mark.parametrize(
    "handle",
    [f"artifact://{JOB}/../../../etc/passwd", "artifact://../x", "artifact:///etc/passwd", f"artifact://{JOB}/%2e%2e"],
)
def test_a_handle_names_what_was_published_and_nothing_else(settings: Settings, handle: str) -> None:
    assert refusal_of(settings, takes=handle).code in ("job_unknown", "artifact_unknown")


def test_a_file_address_within_the_roots_is_its_path(settings: Settings, work: Path) -> None:
    (work / "a b.jsonl").write_text(json.dumps({}))

    assert resolved(settings, takes=f"file://{work}/a%20b.jsonl").takes == str(work / "a b.jsonl")


def test_a_session_may_be_granted_more_folders(settings: Settings, tmp_path: Path) -> None:
    folder = make(tmp_path / "granted", "takes.jsonl")
    granted = replace(settings, roots=(*settings.roots, folder))

    assert refusal_of(settings, takes=str(folder / "takes.jsonl")).code == "path_outside_roots"
    assert resolved(granted, takes=str(folder / "takes.jsonl")).takes == str(folder / "takes.jsonl")


def test_a_folder_here_does_not_shadow_what_has_its_name_and_two_are_refused_with_both_paths(
    settings: Settings, work: Path
) -> None:
    dataset = make(settings.home / "datasets" / "anna", "train_manifest.jsonl")
    voice = make(settings.home / "voices" / "anna" / "voice", "config.json")
    make(work / "anna", "recording.m4b")

    assert resolved(settings, ingested="anna").ingested == str(dataset / "train_manifest.jsonl")
    assert resolved(settings, model="anna").model == str(voice.resolve())
    (work / "anna" / "train_manifest.jsonl").touch()
    make(work / "anna" / "voice", "config.json")
    refused = refusal_of(settings, ingested="anna"), refusal_of(settings, model="anna")

    assert [one.code for one in refused] == ["name_ambiguous", "name_ambiguous"]
    assert all(str(work / "anna") in one.message and str(settings.home) in one.message for one in refused)
    assert resolved(settings, model="./anna").model == str(work / "anna" / "voice")
