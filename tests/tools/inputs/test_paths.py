"""Where paths may lead."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import Field

from jobs.errors import UserError
from jobs.param_types import IngestedManifest, InputPath, ModelRef, OutputPath, Strict
from jobs.refine_voice.spec import KIND as REFINING
from jobs.runner import artifacts
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import JobKind
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import PROJECT_ROOT, Settings
from jobs.tune_hparams.spec import KIND as TUNING
from tools.inputs import paths
from tools.inputs.paths import marked_paths, resolve_paths


class Inner(Strict):
    """A path within a list of objects."""

    audio: InputPath


class Args(Strict):
    """One of each."""

    source: InputPath = "here.txt"
    maybe: InputPath | None = None
    many: list[InputPath] = Field(default_factory=list)
    out: OutputPath = ""
    model: ModelRef | None = None
    inner: list[Inner] = Field(default_factory=list)
    plain: str = "../not/a/path"


class Dataset(Strict):
    """A dataset."""

    manifest: IngestedManifest


def resolved(args: Args, settings: Settings) -> Args:
    """What the worker would get."""
    return resolve_paths(args, settings, Runner(settings))


def refusal_of(args: Strict, settings: Settings) -> UserError:
    """The error that is raised."""
    with pytest.raises(UserError) as refusal:
        resolve_paths(args, settings, Runner(settings))
    return refusal.value


def test_relative_paths_are_the_callers_wherever_they_stand(settings: Settings, work: Path) -> None:
    args = Args(source="a.txt", maybe="b", many=["c", "d"], out="e/f", inner=[Inner(audio="g.wav")])

    done = resolved(args, settings)

    assert done.source == str(work / "a.txt")
    assert done.maybe == str(work / "b")
    assert done.many == [str(work / "c"), str(work / "d")]
    assert done.out == str(work / "e" / "f")
    assert done.inner[0].audio == str(work / "g.wav")
    assert done.plain == "../not/a/path"


@pytest.mark.parametrize("kind", [TUNING, REFINING], ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", ["hyperparams", "encoder_from", "extend", "out_dir"])
def test_paths_among_the_arguments_of_a_training_are_held_to_the_roots(
    settings: Settings, work: Path, tmp_path: Path, kind: JobKind, name: str
) -> None:
    (coded := work / "train_manifest_qwen3.jsonl").write_text("")
    (tmp_path / "outside").mkdir()
    outside = tmp_path / "outside" / "settings.json"
    outside.write_text('{"key": 1}')
    args = kind.params.model_construct(manifest=str(coded), base_model="toy", training={name: str(outside), "lr": 1e-5})

    refusal = refusal_of(args, settings)

    assert refusal.code == "path_outside_roots"
    assert f"training.{name}" in refusal.message


def test_a_path_among_the_arguments_of_a_training_is_the_callers(settings: Settings, work: Path) -> None:
    (coded := work / "train_manifest_qwen3.jsonl").write_text("")
    (work / "best.json").write_text("{}")
    training = {"hyperparams": "best.json", "lr": 1e-5, "unknown": "a/b"}
    args = TUNING.params.model_construct(manifest=str(coded), base_model="toy", training=training)

    found = resolve_paths(args, settings, Runner(settings)).training

    assert found == training | {"hyperparams": str(work / "best.json")}


def test_every_marked_field_is_known_by_name() -> None:
    args = Args(many=["x"], model="toy", inner=[Inner(audio="y")])

    assert [(where, value) for where, _, value in marked_paths(args)] == [
        ("source", "here.txt"),
        ("many.0", "x"),
        ("out", ""),
        ("model", "toy"),
        ("inner.0.audio", "y"),
    ]


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "sub/../../outside", "~root/x"])
def test_a_path_outside_the_roots_is_refused_with_the_roots_and_the_cure(settings: Settings, path: str) -> None:
    refusal = refusal_of(Args(source=path), settings)

    assert refusal.code == "path_outside_roots"
    assert repr(path) in refusal.message
    assert all(str(root) in refusal.message for root in settings.roots)
    assert "TTS_TRAIN_ROOTS" in refusal.hint
    assert "working directory" in refusal.hint


def test_the_refusal_does_not_tell_whether_something_is_there(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "secret-a").touch()

    there = refusal_of(Args(source=str(tmp_path / "secret-a")), settings)
    nowhere = refusal_of(Args(source=str(tmp_path / "secret-b")), settings)

    assert str(there).replace("secret-a", "secret-b") == str(nowhere)


def test_a_symlink_out_of_the_roots_is_refused_for_reading_and_for_writing(
    settings: Settings, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (work / "door").symlink_to(tmp_path / "elsewhere")

    assert refusal_of(Args(source="door/file"), settings).code == "path_outside_roots"
    assert refusal_of(Args(out="door/new"), settings).code == "path_outside_roots"
    assert refusal_of(Args(model="door"), settings).code == "path_outside_roots"


def test_a_symlink_within_the_roots_is_followed(settings: Settings, work: Path) -> None:
    (work / "real.txt").touch()
    (work / "link.txt").symlink_to("real.txt")

    assert resolved(Args(source="link.txt"), settings).source == str(work / "real.txt")


@pytest.mark.parametrize(
    "out",
    ["jobs.db", "jobs.db-wal", "config.toml", "http-token", "brave.key", "models/toy", ".", "datasets/../config.toml",
     "jobs/align-20260101-000000-abcd/attempt-1/log"],
)  # fmt: skip
def test_what_the_home_is_made_of_is_no_output(settings: Settings, out: str) -> None:
    refusal = refusal_of(Args(out=str(settings.home / out)), settings)

    assert refusal.code == "path_not_writable"
    assert "datasets" in refusal.hint


@pytest.mark.parametrize("out", ["run.sh", "SKILL.md", "anything.jsonl", "datasets/d", "."])
def test_the_files_beside_an_installed_program_are_no_output(
    settings: Settings, work: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = work / "venv" / "share" / "tts-train"
    files.mkdir(parents=True)
    monkeypatch.setattr(paths, "FILES", files)
    monkeypatch.setattr(paths, "IS_CHECKOUT", False)

    assert refusal_of(Args(out=str(files / out)), settings).code == "path_not_writable"
    assert resolved(Args(out=str(settings.home / "datasets" / "d")), settings).out


@pytest.mark.parametrize("out", ["run.sh", "jobs/settings.py", ".git/hooks/pre-commit", "new-file", ".", ".envs/ml"])
def test_the_source_of_the_project_is_no_output_even_where_all_is_allowed(settings: Settings, out: str) -> None:
    everywhere = replace(settings, roots=(*settings.roots, Path("/")))

    assert refusal_of(Args(out=str(PROJECT_ROOT / out)), everywhere).code == "path_not_writable"


@pytest.mark.parametrize(
    "source",
    ["http-token", "brave.key", "config.toml", "jobs.db", "datasets/../http-token", "keys/brave.key",
     "jobs/align-20260101-000000-abcd/job.json", "jobs/align-20260101-000000-abcd/attempt-1/log"],
)  # fmt: skip
def test_settings_and_keys_in_the_home_are_no_inputs(settings: Settings, source: str) -> None:
    (settings.home / "datasets").mkdir(parents=True)
    (settings.home / source).parent.mkdir(parents=True, exist_ok=True)
    (settings.home / source).touch()
    (settings.home / "datasets" / "link").symlink_to(settings.home / source)

    assert refusal_of(Args(source=str(settings.home / source)), settings).code == "path_unusable"
    assert refusal_of(Args(source=str(settings.home / "datasets" / "link")), settings).code == "path_unusable"


@pytest.mark.parametrize(
    "source", ["datasets/horus/a.jsonl", "jobs/align-20260101-000000-abcd/out/m.jsonl", "research/c"]
)
def test_outputs_in_the_home_are_inputs(settings: Settings, source: str) -> None:
    (settings.home / source).parent.mkdir(parents=True)
    (settings.home / source).touch()

    assert resolved(Args(source=str(settings.home / source)), settings).source == str(settings.home / source)


@pytest.mark.parametrize("path", ["file://[x", "file://", "file:///a%00b", "file://elsewhere/a"])
def test_an_address_that_is_no_path_is_refused(settings: Settings, path: str) -> None:
    assert refusal_of(Args(source=path), settings).code == "path_unusable"
    assert refusal_of(Args(out=path), settings).code == "path_unusable"


@pytest.mark.parametrize("n_bytes", [3_600, 4_086, 4_095])
def test_an_output_without_room_for_names_within_is_refused(settings: Settings, work: Path, n_bytes: int) -> None:
    name = "é" * 100 + "/"
    path = f"{work}/" + (name * 30)[: (n_bytes - len(str(work))) // 2]

    assert refusal_of(Args(out=path), settings).code == "path_unusable"


def test_an_interpreter_is_no_output(settings: Settings, tmp_path: Path) -> None:
    everywhere = replace(settings, roots=(*settings.roots, tmp_path))

    assert refusal_of(Args(out=str(settings.envs / "ml" / "lib" / "site.py")), everywhere).code == "path_not_writable"


def test_a_link_in_a_folder_of_outputs_does_not_lead_to_the_store(settings: Settings) -> None:
    (settings.home / "datasets").mkdir(parents=True)
    (settings.home / "datasets" / "horus").symlink_to("..")

    refusal = refusal_of(Args(out=str(settings.home / "datasets" / "horus" / "config.toml")), settings)

    assert refusal.code == "path_not_writable"


@pytest.mark.parametrize("out", ["datasets/horus", "voices/anna", "takes/anna/one", "hyperparameter_search"])
def test_folders_of_outputs_stay_open(settings: Settings, out: str) -> None:
    everywhere = replace(settings, roots=(*settings.roots, PROJECT_ROOT))

    for base in (settings.home, PROJECT_ROOT):
        assert resolved(Args(out=str(base / out)), everywhere).out == str(base / out)


def test_inputs_may_be_the_projects_own(settings: Settings) -> None:
    everywhere = replace(settings, roots=(*settings.roots, PROJECT_ROOT))
    sample = str(PROJECT_ROOT / "samples" / "fables.m4b")

    assert resolved(Args(source=sample), everywhere).source == sample


def test_a_handle_leads_to_no_file_outside_the_roots(settings: Settings, tmp_path: Path) -> None:
    job_id = "align-20260101-000000-abcd"
    row = {"id": job_id, "kind": "align", "spec_hash": "", "document": '{"params": {}}', "resource": "cpu",
           "environment": "ml", "max_tries": 1, "created_at": 1.0, "state": "succeeded", "attempt": 1}  # fmt: skip
    store, attempt = Store(Home(settings.home)), Home(settings.home).attempt(job_id, 1)
    with store.transaction() as connection:
        store.insert(connection, row, None)
    attempt.path.mkdir(parents=True)
    (tmp_path / "manifest.jsonl").write_text("{}\n")
    handle = artifacts.record(attempt, job_id, "manifest", tmp_path / "manifest.jsonl", "manifest").handle

    assert refusal_of(Args(source=handle), settings).code == "path_outside_roots"
    wider = replace(settings, roots=(*settings.roots, tmp_path))
    assert resolved(Args(source=handle), wider).source == str(tmp_path / "manifest.jsonl")


@pytest.mark.parametrize("path", ["a", "a/x"])
def test_a_loop_of_symlinks_is_no_usable_path(settings: Settings, work: Path, path: str) -> None:
    (work / "a").symlink_to("b")
    (work / "b").symlink_to("a")

    assert refusal_of(Args(source=path), settings).code == "path_unusable"


@pytest.mark.parametrize("path", ["pipe", "link", "./pipe"])
def test_a_pipe_is_no_input(settings: Settings, work: Path, path: str) -> None:
    os.mkfifo(work / "pipe")
    (work / "link").symlink_to("pipe")

    assert refusal_of(Args(source=path), settings).code == "file_not_regular"


@pytest.mark.parametrize("path", ["", "  ", "nul\0byte", "x" * 300, "folder/" * 900])
def test_what_is_no_path_is_refused(settings: Settings, path: str) -> None:
    assert refusal_of(Args(source=path), settings).code == "path_unusable"


def test_with_the_whole_disk_as_root_any_path_is_allowed(settings: Settings, work: Path) -> None:
    everywhere = replace(settings, roots=(work, Path("/")))

    assert resolved(Args(source="/etc/hostname"), everywhere).source == os.path.realpath("/etc/hostname")


@pytest.mark.parametrize("model", ["toy", "large-v3", "Qwen/Qwen3-TTS-12Hz-0.6B-Base", "facebook/wav2vec2-base-960h"])
def test_names_of_models_stay_names(settings: Settings, model: str) -> None:
    assert resolved(Args(model=model), settings).model == model


def test_a_folder_of_weights_becomes_its_path_even_when_it_looks_like_a_hub_id(settings: Settings, work: Path) -> None:
    (work / "voices" / "horus").mkdir(parents=True)

    assert resolved(Args(model="voices/horus"), settings).model == str(work / "voices" / "horus")
    assert resolved(Args(model="./voices/horus"), settings).model == str(work / "voices" / "horus")


def test_a_dataset_whose_manifest_is_a_link_to_a_key_of_the_home_is_refused(settings: Settings, work: Path) -> None:
    settings.home.mkdir(exist_ok=True)
    (settings.home / "keyfile").write_text("secret\n")
    (work / "anna").mkdir()
    (work / "anna" / "train_manifest.jsonl").symlink_to(settings.home / "keyfile")

    for given in ("anna", str(work / "anna"), str(work / "anna" / "train_manifest.jsonl")):
        assert refusal_of(Dataset(manifest=given), settings).code == "path_unusable"


def test_a_folder_does_not_pass_for_a_released_model(settings: Settings, work: Path) -> None:
    name = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
    (work / name).mkdir(parents=True)

    assert refusal_of(Args(model=name), settings).code == "name_ambiguous"
    assert resolved(Args(model=f"./{name}"), settings).model == str(work / name)


def test_the_out_dir_of_a_training_stands_for_its_voice(settings: Settings, work: Path) -> None:
    (work / "out" / "voice").mkdir(parents=True)
    (work / "out" / "voice" / "config.json").touch()

    assert resolved(Args(model="./out"), settings).model == str(work / "out" / "voice")
    assert resolved(Args(model="./out/voice"), settings).model == str(work / "out" / "voice")


@pytest.mark.parametrize("model", ["no-such-size", "./nowhere", "a/b/c"])
def test_a_model_that_is_neither_name_nor_folder_is_refused(settings: Settings, model: str) -> None:
    assert refusal_of(Args(model=model), settings).code == "model_unavailable"


def test_an_unknown_handle_is_refused(settings: Settings) -> None:
    assert refusal_of(Args(source="artifact://align-20260101-000000-abcd/manifest"), settings).code == "job_unknown"
    assert refusal_of(Args(source="artifact://broken"), settings).code == "artifact_unknown"


def test_a_voice_that_is_a_link_out_of_its_folder_is_refused(settings: Settings, work: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "config.json").write_text("{}")
    (work / "run").mkdir()
    (work / "run" / "voice").symlink_to(tmp_path / "outside")

    with pytest.raises(UserError) as refused:
        resolved(Args(model=str(work / "run")), settings)

    assert refused.value.code == "path_outside_roots"
