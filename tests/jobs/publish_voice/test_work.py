"""A published voice: what is in it and what never is, in a folder and on a Hub that is faked at the transport."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import HfApi, configure_http_backend
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from jobs.errors import UserError
from jobs.publish_voice.dry_run import plan
from jobs.publish_voice.engines import ENGINES
from jobs.publish_voice.params import Engine, Params, check
from jobs.publish_voice.work import run
from jobs.publishing.cleaning import check_clean, clean
from jobs.qwen.model_files import CARD
from jobs.qwen.upstream import qwen_tts
from jobs.runner.worker.context import Cancelled
from jobs.settings import Settings
from tests.jobs.publish_voice.conftest import SECRET
from tests.jobs.publishing.fake_hub import ENDPOINT, FakeHub
from tests.support.null_context import NullContext

WEIGHTS = {"model.safetensors", "speaker_encoder.safetensors", "speech_tokenizer/model.safetensors"}


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


def test_a_folder_has_the_voice_a_card_and_samples_and_nothing_else(
    voice: Path, takes: Path, ratings: Path, tmp_path: Path
) -> None:
    params = Params(
        model=str(voice), out_dir=str(tmp_path / "out"), takes=str(takes), ratings=str(ratings),
        consent="Nora's own voice, for reading aloud.", license="CC-BY-4.0",
    )  # fmt: skip
    check(params)
    found = run(params, NullContext(tmp_path))
    files = files_of(tmp_path / "out")
    card = files["README.md"].decode()

    assert set(files) >= WEIGHTS
    assert "notes.txt" not in files
    assert {name for name in files if name.startswith("samples/")} == {"samples/01.wav", "samples/02.wav"}
    assert files["samples/02.wav"] == b"RIFF004.wav"
    assert found.n_files == len(files)
    assert f"| model.safetensors | {len(files['model.safetensors']):,} | " in card
    assert hashlib.sha256(files["model.safetensors"]).hexdigest() in card
    assert yaml.safe_load(card.split("---")[1]) == {
        "pipeline_tag": "text-to-speech", "library_name": "qwen-tts", "language": ["de"], "license": "cc-by-4.0",
        "tags": ["qwen3-tts", "text-to-speech", "tts-train"],
    }  # fmt: skip
    for stated in ("Nora's own voice", "2.00 hours in 10 clips", "lr 2e-05", "9 to 2.5", "3.25", "4.12 (3.9 to 4.3)",
                   "4.7 (of 8)", "3.1 (of 6)", "a person must listen", "sha256 def"):  # fmt: skip
        assert stated in card
    assert "<b>" not in card


def test_the_published_package_speaks_with_it(voice: Path, tmp_path: Path) -> None:
    found = run(Params(model=str(voice), out_dir=str(tmp_path / "out")), NullContext(tmp_path))

    stock = qwen_tts().Qwen3TTSModel.from_pretrained(found.folder, dtype=torch.float32)
    wavs, rate = stock.generate_custom_voice("hello", speaker=found.speakers[0], max_new_tokens=4)

    assert (rate, len(wavs[0]) % 1920) == (24000, 0)
    assert len(wavs[0]) > 0


def test_no_path_and_no_token_is_published(voice: Path, tmp_path: Path) -> None:
    (voice / "added_tokens.json").write_text(json.dumps({f"/home/somebody/x/{SECRET}": 1, "</think>": 2}))
    run(Params(model=str(voice), out_dir=str(tmp_path / "out")), NullContext(tmp_path))
    text = b"".join(content for name, content in files_of(tmp_path / "out").items() if name not in WEIGHTS).decode()
    card = json.loads((tmp_path / "out" / CARD).read_text())

    assert SECRET not in text
    assert "</think>" in text
    assert f"{Path.home()}/" not in text
    assert str(tmp_path) not in text
    assert "/home/somebody" not in text
    assert card["base_model"] == "Qwen3-TTS-12Hz-0.6B-Base"
    assert card["run"]["params"] == {"lr": 2e-5, "method": "full", "manifest": "train.jsonl"}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("/home/a b/voices/x", "x"),
        ("~/books/x.m4b", "x.m4b"),
        ("see /srv/data/x.txt, and https://hub.test/a/b", "see x.txt, and https://hub.test/a/b"),
        ("Qwen/Qwen3-TTS-12Hz-0.6B-Base", "Qwen/Qwen3-TTS-12Hz-0.6B-Base"),
        ("</think> audio/wav 3/4", "</think> audio/wav 3/4"),
    ],
)
def test_of_a_path_only_the_last_name_stays(text: str, cleaned: str) -> None:
    assert clean({"of": [text]}) == {"of": [cleaned]}


def test_what_cleaning_has_missed_is_refused() -> None:
    with pytest.raises(UserError) as refused:
        check_clean("README.md", "kept in\n/home/somebody/x")

    assert refused.value.code == "publication_unclean"


def test_a_dry_run_lists_every_file_that_is_then_published(voice: Path, takes: Path, tmp_path: Path) -> None:
    params = Params(model=str(voice), out_dir=str(tmp_path / "out"), takes=str(takes))

    planned = plan(params, Settings.from_environment())
    run(params, NullContext(tmp_path))

    sizes = {name: len(content) for name, content in files_of(tmp_path / "out").items()}
    assert {one["file"] for one in planned["files"]} == set(sizes)
    assert {one["file"]: one["mb"] for one in planned["files"] if one["file"] != "README.md"} == {
        name: round(size / 1e6, 3) for name, size in sizes.items() if name != "README.md"
    }
    assert planned["consent"] == "not stated"


def test_a_document_that_cannot_be_read_is_not_published(voice: Path, tmp_path: Path) -> None:
    (voice / "special_tokens_map.json").write_text("[")
    with pytest.raises(UserError) as refused:
        run(Params(model=str(voice), out_dir=str(tmp_path / "out")), NullContext(tmp_path))

    assert refused.value.code == "model_broken"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ['"; touch y; "', "$(touch y)", "a'b", 'a", "b": "c', "../../x", "a\n```\n<b>", "-x"])
def test_a_speakers_name_that_may_be_more_than_a_name_is_in_no_command(engine: Engine, name: str) -> None:
    commands = ENGINES[engine].commands_for("/data/voice", name, "0.6B")

    assert commands == ENGINES[engine].commands_for("/data/voice", "SPEAKER", "0.6B")
    assert "nora k." in "".join(ENGINES[engine].commands_for("/data/voice", "nora k.", "0.6B"))


@pytest.mark.parametrize(
    "card",
    [
        {"speech_s": "abc", "languages": 5, "first_loss": 10**400, "packages": [1], "run": 3},
        {"speech_s": [1], "languages": [["german"], None], "made_with": "x", "validation_loss": True},
        {"speech_s": 10**400, "rights": ["x"], "base_model": {"a": 1}, "steps": "# <b> _x_ /srv/private/y"},
    ],
)
def test_a_card_of_a_stranger_is_data(voice: Path, tmp_path: Path, card: dict[str, Any]) -> None:
    (voice / CARD).write_text(json.dumps(card))

    run(Params(model=str(voice), out_dir=str(tmp_path / "out")), NullContext(tmp_path))

    text = (tmp_path / "out" / "README.md").read_text()
    assert "<b>" not in text
    assert "&&#" not in text
    assert "/srv/private" not in text


def test_ratings_of_a_stranger_are_figures_and_short(voice: Path, ratings: Path, tmp_path: Path) -> None:
    content = {
        "takes": [],
        "summary": {"mean": 10**400, "n_takes": "<script>", "n_texts": "/srv/private/y"},
        "caveat": "#" * 1_000_000,
    }
    ratings.write_text(json.dumps(content))

    run(Params(model=str(voice), out_dir=str(tmp_path / "out"), ratings=str(ratings)), NullContext(tmp_path))

    text = (tmp_path / "out" / "README.md").read_text()
    assert "0 takes of 0 texts" in text
    assert "<script>" not in text
    assert len(text) < 50_000


@pytest.mark.parametrize(
    ("audio", "code"),
    [
        ("notes.txt", "audio_unreadable"),
        ("missing.wav", "audio_missing"),
        ("folder", "file_not_regular"),
        ("", "file_not_regular"),
        ("huge.wav", "file_too_large"),
        ("link.wav", "path_outside_dataset"),
    ],
)
def test_of_what_a_list_of_takes_names_only_sounds_are_published(
    voice: Path, tmp_path: Path, audio: str, code: str
) -> None:
    folder = tmp_path / "takes"
    (folder / "folder").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "link.wav").symlink_to("/etc/hostname")
    with (folder / "huge.wav").open("wb") as stream:
        stream.truncate(10**9)
    (folder / "takes.jsonl").write_text(json.dumps({"audio": audio, "text": "a"}))
    with pytest.raises(UserError) as refused:
        run(Params(model=str(voice), out_dir=str(tmp_path / "out"), takes=str(folder)), NullContext(tmp_path))

    assert refused.value.code == code
    assert not (tmp_path / "out" / "samples").exists()


def test_what_a_trainer_noted_in_the_header_of_weights_is_not_published(voice: Path, tmp_path: Path) -> None:
    noted = shutil.copytree(voice, tmp_path / "noted")
    weights = load_file(noted / "model.safetensors")
    save_file(weights, noted / "model.safetensors", {"format": "pt", "trained_in": "/home/anna/Jörg"})
    size = (noted / "model.safetensors").stat().st_size

    run(Params(model=str(noted), out_dir=str(tmp_path / "out")), NullContext(tmp_path))

    published = tmp_path / "out" / "model.safetensors"
    with safe_open(published, "pt") as stream:
        assert stream.metadata() == {"format": "pt"}
    assert published.stat().st_size == size
    assert b"anna" not in published.read_bytes()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in load_file(published).items())


def test_for_another_engine_what_it_stumbles_over_is_left_out_and_removed(voice: Path, tmp_path: Path) -> None:
    context = NullContext(tmp_path)
    run(Params(model=str(voice), out_dir=str(tmp_path / "out")), context)
    found = run(Params(model=str(voice), out_dir=str(tmp_path / "out"), engine="mlx-audio"), context)

    assert not (tmp_path / "out" / "speaker_encoder.safetensors").exists()
    assert "--voice nora" in found.commands[0]
    assert str(tmp_path / "out") in found.commands[0]


def test_consent_is_stated_before_anything_goes_to_the_hub(voice: Path) -> None:
    with pytest.raises(UserError) as refused:
        check(Params(model=str(voice), repository="anna/voice"))

    assert refused.value.code == "consent_missing"
    check(Params(model=str(voice), repository="anna/voice", consent="My own."))


@pytest.mark.parametrize("model", ["toy", "Qwen/Qwen3-TTS-12Hz-0.6B-Base"])
def test_a_model_without_a_voice_is_refused(model: str) -> None:
    with pytest.raises(UserError) as refused:
        check(Params(model=model))

    assert refused.value.code == "voice_not_trained"


def test_a_private_repository_gets_every_file_of_the_folder_in_one_commit(
    voice: Path, takes: Path, tmp_path: Path, hub: FakeHub, api: HfApi
) -> None:
    params = Params(
        model=str(voice), out_dir=str(tmp_path / "out"), repository="anna/voice", consent="Mine.", takes=str(takes)
    )
    found = run(params, NullContext(tmp_path), api)

    assert hub.is_private is True
    assert hub.files == files_of(tmp_path / "out")
    assert sum(path.endswith("/commit/main") for _, path in hub.asked) == 1
    assert (found.address, found.commit) == (f"{ENDPOINT}/anna/voice", "1" * 40)
    assert b"from_pretrained('anna/voice')" in hub.files["README.md"]


class StoppedContext(NullContext):
    """A job that is stopped when it is about to send a file."""

    def __init__(self, folder: Path, at: str) -> None:
        super().__init__(folder)
        self.at, self.is_there = at, False

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
        self.is_there = self.is_there or self.at in message

    def raise_if_cancelled(self) -> None:
        if self.is_there:
            raise Cancelled


def test_after_an_interruption_nothing_is_sent_twice(voice: Path, tmp_path: Path, hub: FakeHub, api: HfApi) -> None:
    params = Params(model=str(voice), out_dir=str(tmp_path / "out"), repository="anna/voice", consent="Mine.")
    with pytest.raises(Cancelled):
        run(params, StoppedContext(tmp_path, "uploading speaker_encoder"), api)
    sent = [path for method, path in hub.asked if method == "PUT"]
    assert hub.files == {}
    assert len(sent) >= 1

    run(params, NullContext(tmp_path), api)

    all_sent = [path for method, path in hub.asked if method == "PUT"]
    assert len(all_sent) == len(set(all_sent)) == len(WEIGHTS)
    assert hub.files == files_of(tmp_path / "out")


def test_a_public_repository_is_not_filled_by_a_private_publication(
    voice: Path, tmp_path: Path, hub: FakeHub, api: HfApi
) -> None:
    hub.is_private = False
    params = Params(model=str(voice), out_dir=str(tmp_path / "out"), repository="anna/voice", consent="Mine.")
    with pytest.raises(UserError) as refused:
        run(params, NullContext(tmp_path), api)

    assert refused.value.code == "repository_public"
    assert hub.objects == {}


def test_a_refusal_of_the_hub_is_told_without_the_token(voice: Path, tmp_path: Path, hub: FakeHub, api: HfApi) -> None:
    hub.refuses = "/commit/"
    params = Params(model=str(voice), out_dir=str(tmp_path / "out"), repository="anna/voice", consent="Mine.")
    with pytest.raises(UserError) as refused:
        run(params, NullContext(tmp_path), api)

    assert refused.value.code == "hub_refused"
    assert "hf_of_the_test" not in str(refused.value)
    assert "403" in refused.value.message
