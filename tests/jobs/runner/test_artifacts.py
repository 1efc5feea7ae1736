"""Handles lead to what was published, or say why not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner import artifacts
from jobs.runner.paths import AttemptFolder

JOB = "align-20261122-131144-7f3a"


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptFolder:
    """The first attempt of a job."""
    folder = AttemptFolder(tmp_path / "jobs" / JOB / "attempt-1")
    folder.path.mkdir(parents=True)
    return folder


def test_a_file_is_recorded_with_the_size_and_hash_of_its_content(attempt: AttemptFolder, tmp_path: Path) -> None:
    made = tmp_path / "train_aligned.jsonl"
    made.write_text("{}\n")

    artifact = artifacts.record(attempt, JOB, "manifest", made, "manifest")

    assert artifact.handle == f"artifact://{JOB}/manifest"
    assert (artifact.size_bytes, artifact.sha256) == (3, hashlib.sha256(b"{}\n").hexdigest())
    assert artifacts.published([attempt]) == [artifact]
    assert artifacts.verify(artifact) == made


def test_a_changed_or_missing_file_is_told(attempt: AttemptFolder, tmp_path: Path) -> None:
    made = tmp_path / "train_aligned.jsonl"
    made.write_text("{}\n")
    artifact = artifacts.record(attempt, JOB, "manifest", made, "manifest")

    made.write_text("[]\n")
    with pytest.raises(UserError) as changed:
        artifacts.verify(artifact)
    made.unlink()
    with pytest.raises(UserError) as missing:
        artifacts.verify(artifact)

    assert changed.value.code == "artifact_changed"
    assert missing.value.code == "artifact_missing"
    assert str(made) in missing.value.message


def test_a_folder_is_told_by_its_sorted_listing(attempt: AttemptFolder, tmp_path: Path) -> None:
    voice = tmp_path / "voice"
    (voice / "tokenizer").mkdir(parents=True)
    (voice / "model.safetensors").write_bytes(b"1234")
    (voice / "tokenizer" / "config.json").write_text("{}")
    artifact = artifacts.record(attempt, JOB, "voice", voice, "voice")

    assert artifact.size_bytes == 6
    assert artifact.sha256 == hashlib.sha256(b"model.safetensors\x004\ntokenizer/config.json\x002\n").hexdigest()
    assert artifacts.verify(artifact) == voice
    (voice / "tokenizer" / "config.json").unlink()
    with pytest.raises(UserError) as changed:
        artifacts.verify(artifact)
    assert changed.value.code == "artifact_changed"


def test_the_folder_of_a_dataset_may_grow(attempt: AttemptFolder, tmp_path: Path) -> None:
    dataset = tmp_path / "horus"
    dataset.mkdir()
    (dataset / "train_manifest.jsonl").write_text("{}\n")
    artifact = artifacts.record(attempt, JOB, "dataset", dataset, "dataset")

    (dataset / "train_aligned.jsonl").write_text("{}\n")  # as align does

    assert artifacts.verify(artifact) == dataset


@pytest.mark.parametrize("kind", ["dataset", "voice"])
def test_what_was_published_and_is_a_link_now_has_changed(attempt: AttemptFolder, tmp_path: Path, kind: str) -> None:
    made = tmp_path / "horus"
    made.mkdir()
    artifact = artifacts.record(attempt, JOB, kind, made, kind)
    elsewhere = made.rename(tmp_path / "elsewhere")

    made.symlink_to(elsewhere)

    with pytest.raises(UserError, match="artifact_changed"):
        artifacts.verify(artifact)


def test_a_published_folder_may_lie_below_a_link(attempt: AttemptFolder, tmp_path: Path) -> None:
    made = tmp_path / "datasets" / "horus"
    made.mkdir(parents=True)
    artifact = artifacts.record(attempt, JOB, "dataset", made, "dataset")

    (tmp_path / "datasets").rename(tmp_path / "another disk")
    (tmp_path / "datasets").symlink_to(tmp_path / "another disk")

    assert artifacts.verify(artifact) == made


def test_a_later_attempt_replaces_what_an_earlier_one_published(attempt: AttemptFolder, tmp_path: Path) -> None:
    second = AttemptFolder(attempt.path.with_name("attempt-2"))
    second.path.mkdir()
    made = tmp_path / "voice.bin"
    made.write_bytes(b"1")
    artifacts.record(attempt, JOB, "voice", made, "voice")
    kept = artifacts.record(attempt, JOB, "plot", made, "plot")
    made.write_bytes(b"22")
    newer = artifacts.record(second, JOB, "voice", made, "voice")

    assert artifacts.published([attempt, second]) == [kept, newer]


def test_artifacts_in_the_job_folder_move_with_the_home(attempt: AttemptFolder, tmp_path: Path) -> None:
    made = attempt.path.parent / "out" / "report.json"
    made.parent.mkdir()
    made.write_text("{}")
    artifacts.record(attempt, JOB, "report", made, "report")

    (tmp_path / "jobs").rename(tmp_path / "moved")
    moved = artifacts.published([AttemptFolder(tmp_path / "moved" / JOB / "attempt-1")])

    assert artifacts.verify(moved[0]) == tmp_path / "moved" / JOB / "out" / "report.json"


def test_artifacts_elsewhere_in_the_home_move_with_it(attempt: AttemptFolder, tmp_path: Path) -> None:
    made = tmp_path / "datasets" / "anna" / "train_manifest.jsonl"
    made.parent.mkdir(parents=True)
    made.write_text("{}\n")
    artifacts.record(attempt, JOB, "manifest", made, "manifest")

    moved = tmp_path.rename(tmp_path.with_name("another disk"))

    (artifact,) = artifacts.published([AttemptFolder(moved / "jobs" / JOB / "attempt-1")])
    assert artifacts.verify(artifact) == moved / "datasets" / "anna" / "train_manifest.jsonl"


def test_a_line_torn_by_a_kill_is_passed_over(attempt: AttemptFolder, tmp_path: Path) -> None:
    made = tmp_path / "a"
    made.write_text("a")
    artifact = artifacts.record(attempt, JOB, "a", made, "other")
    with attempt.artifacts.open("a") as stream:
        stream.write('{"job_id": "al')

    assert artifacts.published([attempt]) == [artifact]


@pytest.mark.parametrize("name", ["", "../x", "a b", "/etc"])
def test_a_name_that_is_no_part_of_a_handle_is_refused(attempt: AttemptFolder, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="artifact name"):
        artifacts.record(attempt, JOB, name, tmp_path, "other")


@pytest.mark.parametrize("handle", ["voice", "artifact://", f"artifact://{JOB}", f"artifact://{JOB}/", "file:///etc"])
def test_what_is_no_handle_is_told(handle: str) -> None:
    with pytest.raises(UserError) as refused:
        artifacts.split_handle(handle)

    assert refused.value.code == "artifact_unknown"


@pytest.mark.parametrize(
    "line",
    [
        "[]", "1", "null", '"x"', "{}", '{"path": 1}', '{"path": "a"}', '{"path": {}, "name": []}', "{", "[" * 100_000,
        '{"job_id": "j", "name": "../x", "kind": "k", "path": "a", "size_bytes": 1, "sha256": "s"}',
        '{"job_id": "j", "name": "x", "kind": "k", "path": "a", "size_bytes": "many", "sha256": "s"}',
    ],
)  # fmt: skip
def test_a_line_that_no_worker_of_ours_writes_counts_as_none(line: str, attempt: AttemptFolder, tmp_path: Path) -> None:
    made = tmp_path / "train_aligned.jsonl"
    made.write_text("{}\n")
    attempt.artifacts.write_text(line + "\n")
    artifact = artifacts.record(attempt, JOB, "manifest", made, "manifest")

    assert artifacts.published([attempt]) == [artifact]
