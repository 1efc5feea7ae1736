"""A published dataset: what is in it, what never is, how other programs read it, on a Hub faked at the transport."""

from __future__ import annotations

import hashlib
import json
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from huggingface_hub import HfApi, configure_http_backend

from jobs.errors import UserError
from jobs.publish_dataset.dry_run import plan
from jobs.publish_dataset.params import Params, check
from jobs.publish_dataset.spec import KIND
from jobs.publish_dataset.work import run
from jobs.runner.worker.context import Cancelled
from jobs.settings import Settings
from tests.jobs.publish_dataset.conftest import NOTE
from tests.jobs.publishing.fake_hub import ENDPOINT, FakeHub
from tests.support.declared_outputs import list_undeclared
from tests.support.null_context import NullContext

CLIPS = {"train/000/000001.wav", "train/000/000002.wav", "train/000/000003.wav", "train/000/000004.wav",
         "validation/000/000001.wav"}  # fmt: skip
OTHERS = {"README.md", "train/metadata.jsonl", "validation/metadata.jsonl"}


class Context(NullContext):
    """A job whose tools may use the folder of the test; it is stopped at a message."""

    def __init__(self, folder: Path, stop_at: str = "\0") -> None:
        super().__init__(folder)
        self.settings = replace(self.settings, roots=(folder,), home=folder / "home")
        self.stop_at, self.is_stopped = stop_at, False

    def progress(self, done: float, total: float | None = None, message: str = "", **_: Any) -> None:
        self.is_stopped = self.is_stopped or self.stop_at in f"{message} {done:g}"

    def raise_if_cancelled(self) -> None:
        if self.is_stopped:
            raise Cancelled


def test_a_clip_that_two_lines_name_is_refused_before_anything_is_written(manifest: Path, tmp_path: Path) -> None:
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([*lines, lines[0]]) + "\n")
    params = Params(manifest=str(manifest), out_dir=str(tmp_path / "out"))

    with pytest.raises(UserError, match="Line 6") as refused:
        run(params, Context(tmp_path))

    assert refused.value.code == "clip_repeated"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_persons_sound_in_the_folder_of_the_publication_is_no_clip_of_it(manifest: Path, tmp_path: Path) -> None:
    run(Params(manifest=str(manifest), out_dir=str(tmp_path / "out")), Context(tmp_path))
    mine = tmp_path / "list.jsonl"
    row = {**json.loads(manifest.read_text().splitlines()[0]), "audio": str(tmp_path / "out/train/000/000003.wav")}
    mine.write_text(json.dumps(row) + "\n")
    before = (tmp_path / "out/train/000/000003.wav").read_bytes()
    params = Params(manifest=str(mine), out_dir=str(tmp_path / "out"))

    for call in (lambda: run(params, Context(tmp_path)), lambda: plan(params, Context(tmp_path).settings)):
        with pytest.raises(UserError) as refused:
            call()
        assert refused.value.code == "output_is_input"

    assert (tmp_path / "out/train/000/000003.wav").read_bytes() == before


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    hub = FakeHub()
    configure_http_backend(hub.session)
    yield hub
    configure_http_backend()


@pytest.fixture
def api() -> HfApi:
    return HfApi(endpoint=ENDPOINT, token="hf_of_the_test")


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_has_the_clips_their_texts_and_a_card(manifest: Path, tmp_path: Path) -> None:
    params = Params(
        manifest=str(manifest), out_dir=str(tmp_path / "out"), consent="Nora's own voice.", license="CC-BY-4.0"
    )
    check(params)
    found = run(params, Context(tmp_path))
    files = files_of(tmp_path / "out")
    card = files["README.md"].decode()

    assert set(files) == CLIPS | OTHERS
    assert list_undeclared(KIND, out_dir=tmp_path / "out") == []
    assert (found.n_files, found.n_clips, found.hours) == (8, 5, round(15 / 3600, 3))
    assert yaml.safe_load(card.split("---")[1]) == {
        "pretty_name": "Speech of nora", "language": ["de", "en"], "license": "cc-by-4.0",
        "task_categories": ["text-to-speech", "automatic-speech-recognition"], "size_categories": ["n<1K"],
        "tags": ["speech", "audiobook", "tts-train"],
        "configs": [{"config_name": "default", "data_files": [
            {"split": "train", "path": "train/**"}, {"split": "validation", "path": "validation/**"}]}],
    }  # fmt: skip
    for stated in ("Nora's own voice.", "Licence of this dataset: CC-BY-4.0.", "german (4 clips), english (1 clips)",
                   "the book's own words, found in the recording (4 clips)", "heard by Whisper (1 clips)",
                   "0.2 minutes of read speech in 5 clips", "1 clips, 0.1 minutes", "1.0 to 5.0, median 3.0",
                   "| median signal to noise, dB | 42 |",
                   hashlib.sha256(files["train/metadata.jsonl"]).hexdigest()):  # fmt: skip
        assert stated in card
    assert "<b>" not in card


def test_neither_recordings_nor_paths_nor_notes_of_other_programs_are_published(manifest: Path, tmp_path: Path) -> None:
    run(Params(manifest=str(manifest), out_dir=str(tmp_path / "out")), Context(tmp_path))
    files = files_of(tmp_path / "out")
    everything = b"".join(files.values())

    assert NOTE in (manifest.parent / "clips" / "000001.wav").read_bytes()
    assert NOTE not in everything
    assert b"secret recording" not in everything
    assert str(tmp_path).encode() not in everything
    with wave.open(str(tmp_path / "out" / "train" / "000" / "000002.wav")) as stream:
        assert (stream.getframerate(), stream.getnframes()) == (24_000, 48_000)


def test_the_library_of_the_hub_loads_it(manifest: Path, tmp_path: Path) -> None:
    run(Params(manifest=str(manifest), out_dir=str(tmp_path / "out")), Context(tmp_path))

    loaded = datasets.load_dataset("audiofolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    train = loaded["train"].cast_column("audio", datasets.Audio(decode=False))

    assert {name: len(part) for name, part in loaded.items()} == {"train": 4, "validation": 1}
    assert train["text"][1] == "Sentence <b>1</b> | of the book."
    assert train["speaker"] == ["nora"] * 4
    for row in train:
        assert hashlib.sha256(Path(row["audio"]["path"]).read_bytes()).hexdigest() == row["sha256"]


def test_a_dry_run_says_what_is_then_published(manifest: Path, tmp_path: Path) -> None:
    params = Params(manifest=str(manifest), out_dir=str(tmp_path / "out"), repository="nora/speech", consent="Mine.")

    planned = plan(params, Context(tmp_path).settings)

    assert planned["files"] == [*sorted(OTHERS), "train/…: 4 WAV files", "validation/…: 1 WAV files"]
    assert planned["total_mb"] == 0.7
    assert (planned["consent"], planned["license"]) == ("Mine.", "not stated")
    assert planned["visibility"] == "a new one is private"
    assert not (tmp_path / "out").exists()


def test_what_a_later_publication_has_no_longer_is_removed(manifest: Path, tmp_path: Path) -> None:
    params = Params(manifest=str(manifest), out_dir=str(tmp_path / "out"))
    run(params, Context(tmp_path))
    (tmp_path / "out" / "train" / "notes.txt").write_text("mine")
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:2]))

    run(params, Context(tmp_path))

    assert set(files_of(tmp_path / "out")) == {
        "README.md", "train/metadata.jsonl", "train/000/000001.wav", "train/000/000002.wav", "train/notes.txt"
    }  # fmt: skip


def test_stopped_in_the_middle_it_goes_on_to_the_same_bytes(manifest: Path, tmp_path: Path) -> None:
    params = Params(manifest=str(manifest), out_dir=str(tmp_path / "out"))
    with pytest.raises(Cancelled):
        run(params, Context(tmp_path, stop_at="writing clips 2"))
    first = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in files_of(tmp_path / "out")}

    run(params, Context(tmp_path))

    assert set(first) == {"train/000/000001.wav", "train/000/000002.wav", "train/000/000003.wav"}
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in first} == first
    assert set(files_of(tmp_path / "out")) == CLIPS | OTHERS


def test_consent_is_stated_before_anything_goes_to_the_hub(manifest: Path) -> None:
    with pytest.raises(UserError) as refused:
        check(Params(manifest=str(manifest), repository="nora/speech", consent=" "))

    assert refused.value.code == "consent_missing"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"ID3 no wav", "audio_unreadable"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "audio_unreadable"),
        (None, "audio_missing"),
    ],
)
def test_a_clip_that_is_no_wav_ends_it(manifest: Path, tmp_path: Path, content: bytes | None, code: str) -> None:
    clip = manifest.parent / "clips" / "000003.wav"
    clip.unlink()
    if content is not None:
        clip.write_bytes(content)

    with pytest.raises(UserError) as refused:
        run(Params(manifest=str(manifest), out_dir=str(tmp_path / "out")), Context(tmp_path))

    assert refused.value.code == code
    assert not (tmp_path / "out" / "README.md").exists()


def test_a_clip_outside_of_all_folders_is_not_published(manifest: Path, tmp_path: Path) -> None:
    row = json.loads(manifest.read_text().splitlines()[0])
    manifest.write_text(json.dumps(row | {"audio": "/etc/hostname"}) + "\n")

    with pytest.raises(UserError) as refused:
        plan(Params(manifest=str(manifest)), replace(Settings.from_environment(), roots=(tmp_path,)))

    assert refused.value.code == "path_outside_dataset"


def test_a_private_repository_of_datasets_gets_every_file_in_one_commit(
    manifest: Path, tmp_path: Path, hub: FakeHub, api: HfApi
) -> None:
    hub.kind = "dataset"
    params = Params(manifest=str(manifest), out_dir=str(tmp_path / "out"), repository="anna/voice", consent="Mine.")

    found = run(params, Context(tmp_path), api)

    assert hub.is_private is True
    assert hub.files == files_of(tmp_path / "out")
    assert sum(path.endswith("/commit/main") for _, path in hub.asked) == 1
    assert found.address == f"{ENDPOINT}/datasets/anna/voice"
    assert b'load_dataset("anna/voice")' in hub.files["README.md"]


def test_after_an_interruption_of_the_upload_no_sound_is_sent_twice(
    manifest: Path, tmp_path: Path, hub: FakeHub, api: HfApi
) -> None:
    hub.kind, hub.refuses = "dataset", "/commit/"
    params = Params(manifest=str(manifest), out_dir=str(tmp_path / "out"), repository="anna/voice", consent="Mine.")
    with pytest.raises(UserError):
        run(params, Context(tmp_path), api)
    hub.refuses = "\0"

    run(params, Context(tmp_path), api)

    sent = [path for method, path in hub.asked if method == "PUT"]
    assert len(sent) == len(set(sent)) == len(CLIPS)
    assert hub.files == files_of(tmp_path / "out")
