"""The table of clips, and corrections by a form."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
import wave
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from jobs.dataset.corrections.record import read_corrections
from jobs.dataset.manifest import Clip, Rejection, Source, write_rows
from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings
from server.web.admission import Keys
from server.web.app import web_app
from server.web.clip_sound import is_sound
from server.web.clip_table import PAGE, Query
from server.web.clip_tables import ClipTables
from tests.server.web.conftest import N_CLIPS, ORIGIN, PORT, make_dataset, sound_of
from tests.support.html_page import HOSTILE
from tools.core.tool_types import ToolContext

SECOND = "book.m4b@5.000-9.000"


def folder(browser) -> Path:
    return browser.context.settings.home / "datasets" / "anna"


def said(browser) -> list:
    return read_corrections(folder(browser) / "corrections.jsonl")


def shown(page: str) -> list[str]:
    """Numbers of the rows in their order."""
    return re.findall(r'<tr id="clip-(\d+)"', page)


def test_while_clips_are_read_a_page_says_so(browser) -> None:
    first = browser.get("/datasets/anna").text

    assert "Reading the clips" in first
    assert f'content="0;url={browser.keys.root}/datasets/anna?read=1"' in first
    assert len(shown(browser.get("/datasets/anna?read=1").text)) == PAGE
    assert len(shown(browser.get("/datasets/anna").text)) == PAGE


def test_a_page_of_the_table_is_shown_and_others_are_reached(browser) -> None:
    first, last = browser.get("/datasets/anna?read=1").text, browser.get("/datasets/anna/clips?page=999").text

    assert len(shown(first)) == PAGE
    assert f"{N_CLIPS + 2} of {N_CLIPS + 2} clips and rejections" in first
    assert len(shown(last)) == (N_CLIPS + 2) % PAGE


@pytest.mark.parametrize(
    ("query", "n_found"),
    [
        ("show=kept", N_CLIPS), ("show=left%20out", 2), ("reason=noisy", 1), ("words=text%20CLIP%2017.", 2),
        ("chapter=2", 50), ("show=corrected", 0), ("words=nothing", 0), ("show=x&sort=y&page=-1", N_CLIPS + 2),
        ("least_s=2.5&most_s=3.5", 1), ("most_s=3", 2), ("most_score=0.51", 11),
        ("least_s=nan&most_score=x", N_CLIPS + 2),
    ],
)  # fmt: skip
def test_the_table_is_filtered(browser, query: str, n_found: int) -> None:
    page = browser.get(f"/datasets/anna/clips?{query}").text

    assert f"{n_found} of {N_CLIPS + 2}" in page


def test_the_table_is_sorted(browser) -> None:
    table = ClipTables().get(folder(browser))

    worst = table.find(Query(sort="worst score"))
    assert [line.score for line in worst[:2]] == [0.5, 0.501]
    assert worst[-1].score is None
    assert [line.duration_s for line in table.find(Query(sort="shortest"))[:2]] == [2.0, 3.0]
    assert [line.speaker for line in table.find(Query(sort="speaker"))[1:4]] == ["", HOSTILE, "anna"]


def test_markup_of_texts_and_names_is_only_shown(browser) -> None:
    pages = [browser.get("/datasets/anna?read=1").text, browser.get(f"/datasets/anna/clip?key={SECOND}").text]
    pages.append(browser.get("/datasets/anna/clips?reason=not_in_text").text)

    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[0]


def test_a_word_is_corrected_and_the_row_changes_with_it(browser) -> None:
    answer = browser.post(
        "/datasets/anna/correct",
        clip=SECOND,
        seen="",
        who="Ada",
        text="The  right\nwords.",
        start_s="5.000",
        end_s="9.000",
    )

    (one,) = said(browser)
    assert answer.status_code == 200
    assert (one.who, one.clip, one.parts[0].model_dump(exclude_none=True)) == (
        "Ada",
        SECOND,
        {"text": "The right words."},
    )
    assert "The right words." in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    assert "1 not applied yet" in answer.text


def test_borders_are_moved_a_clip_is_split_dropped_kept_and_all_of_it_undone(browser) -> None:
    def send(**fields: str):
        seen = said(browser)[-1].id if said(browser) else ""
        return browser.post("/datasets/anna/correct", clip="book.m4b@10.000-14.000", seen=seen, **fields)

    text = "This is the text of clip 2."
    send(text=text, start_s="10.250", end_s="14.000")
    send(text="One.", text_after="Two.", start_s="10.250", split_s="12", end_s="14.000")
    send(action="drop")
    kept = send(action="keep")
    send(action="reference")
    for _ in range(5):
        undone = send(action="undo")

    moved, split, *rest = said(browser)
    assert moved.parts[0].model_dump(exclude_none=True) == {"start_s": 10.25}
    assert [(part.text, part.start_s, part.end_s) for part in split.parts] == [
        ("One.", 10.25, 12.0),
        ("Two.", 12.0, 14.0),
    ]
    assert [one.action for one in rest] == ["drop", "keep", "reference", *["undo"] * 5]
    assert "One. / Two." in kept.text
    assert text in undone.text
    assert send(action="undo").status_code == 400


def test_a_clip_is_joined_with_the_next_one_in_one_step(browser) -> None:
    joined = browser.post("/datasets/anna/correct", clip="book.m4b@10.000-14.000", seen="", action="join")
    last = browser.post("/datasets/anna/correct", clip="book.m4b@595.000-599.000", seen="", action="join")

    first, second = said(browser)
    part = first.parts[0].model_dump()
    assert (joined.status_code, last.status_code) == (200, 400)
    assert part == {"text": "This is the text of clip 2. This is the text of clip 3.", "start_s": 10.0, "end_s": 19.0}
    assert (second.clip, second.action) == ("book.m4b@15.000-19.000", "drop")


def test_two_windows_that_correct_a_clip_are_a_conflict_that_shows_what_the_other_said(browser) -> None:
    first = browser.post("/datasets/anna/correct", clip=SECOND, seen="", who="Ada", text="Ada's.")

    second = browser.post("/datasets/anna/correct", clip=SECOND, seen="", who="Bob", text="Bob's.")

    assert (first.status_code, second.status_code) == (200, 409)
    assert "correction_conflict" in second.text
    assert "Ada&#39;s." in second.text
    assert len(said(browser)) == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"text": ""}, 400), ({"text": "?!"}, 400), ({"start_s": "x", "text": "A."}, 400), ({"action": "fly"}, 400),
        ({"start_s": "8", "end_s": "7", "text": "A."}, 400), ({"start_s": "nan", "text": "A."}, 400),
        ({"clip": "book.m4b@1.000-2.000", "action": "drop"}, 400),
    ],
)  # fmt: skip
def test_a_bad_correction_is_refused_and_nothing_is_stored(browser, fields: dict[str, str], status: int) -> None:
    answer = browser.post("/datasets/anna/correct", **({"clip": SECOND, "seen": ""} | fields))

    assert answer.status_code == status
    assert said(browser) == []


def test_sound_is_sent_of_listed_clips_only(browser) -> None:
    there = browser.get("/datasets/anna/audio?file=clips/000001.wav")
    part = browser.get("/datasets/anna/audio?file=clips/000001.wav", headers={"Range": "bytes=0-4"})

    assert (there.content, part.status_code, part.content) == (sound_of("clips/000001.wav"), 206, b"RIFF\0")
    for name in ("train_manifest.jsonl", "../../jobs.db", "/etc/passwd", "clips/missing.wav", ""):
        assert browser.get("/datasets/anna/audio", params={"file": name}).status_code == 404
    assert browser.get("/datasets/anna/audio?file=clips/000050.wav").status_code == 404


def test_a_strangers_dataset_sends_no_file_that_is_no_sound_or_lies_where_no_tool_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application is a person's at the shell, who may read the whole disk."""
    person, work, home = tmp_path / "person", tmp_path / "work", tmp_path / "home"
    for made in (person, work, dataset := home / "datasets" / "evil", tmp_path / "books"):
        made.mkdir(parents=True)
    home.chmod(0o700)
    monkeypatch.setenv("HOME", str(person))
    (home / "config.toml").write_text(f'roots = ["{tmp_path}/books"]\n')
    (person / "id_ed25519").write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    for path in (person / "diary.wav", work / "a.wav", tmp_path / "books" / "b.wav"):
        path.write_bytes(sound_of(path.name))
    (work / "notes.wav").write_text("private notes")
    os.mkfifo(work / "pipe.wav")
    (dataset / "link.wav").symlink_to(person / "diary.wav")
    refused = [f"{person}/id_ed25519", f"{person}/diary.wav", f"{work}/notes.wav", f"{work}/pipe.wav", "link.wav"]
    sent = [f"{work}/a.wav", f"{tmp_path}/books/b.wav"]
    rows = [
        Clip(
            audio=name, text="Hello.", speaker="x", duration_s=2.0, source=Source(recording="r", start_s=n, end_s=n + 1)
        )
        for n, name in enumerate([*refused, *sent])
    ]
    write_rows(dataset / "train_manifest.jsonl", rows)
    settings = Settings(home=home, envs=tmp_path / "envs", roots=(work, Path("/")))
    keys = Keys()

    with TestClient(web_app(ToolContext(settings, Runner(settings)), keys, PORT), base_url=ORIGIN) as client:
        client.get(f"/{keys.first}")
        answers = {
            name: client.get(f"{keys.root}/datasets/evil/audio", params={"file": name}) for name in (*refused, *sent)
        }

    assert [answers[name].status_code for name in refused] == [400] * 5
    assert [answers[name].content for name in sent] == [sound_of("a.wav"), sound_of("b.wav")]


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (b"RIFF\0\0\0\0WAVE", True), (b"RF64\0\0\0\0WAVE", True), (b"RIFF\0\0\0\0AVI ", False), (b"fLaC", True),
        (b"OggS", True), (b"ID3\x04", True), (b"\xff\xfb\x90", True), (b"\xff\xf1\x50", True), (b"\xff\xfeh\0", False),
        (b"\0\0\0 ftypM4A ", True), (b"\x1a\x45\xdf\xa3", True), (b"-----BEGIN", False), (b"SQLite format", False),
        (b"", False), (b"\xff", False), (b"\x7fELF", False), (b"PK\x03\x04", False),
    ],
)  # fmt: skip
def test_sound_is_known_by_its_beginning(beginning: bytes, expected: bool) -> None:
    assert is_sound(beginning) == expected


@pytest.mark.parametrize("name", ["other", "..", "%2e%2e", "a%2fb", HOSTILE])
def test_other_datasets_are_not_there(browser, name: str) -> None:
    assert browser.get(f"/datasets/{name}").status_code in (403, 404)


def test_ten_thousand_clips_are_shown_filtered_and_corrected_at_once(browser, tmp_path: Path) -> None:
    make_dataset(browser.context.settings.home / "datasets" / "big", 10_000)
    took = {}
    for name, path in {
        "first": "/datasets/big?read=1", "again": "/datasets/big", "filter": "/datasets/big/clips?words=clip%209999",
        "sort": "/datasets/big/clips?sort=worst%20score&page=100",
    }.items():  # fmt: skip
        began = time.process_time()
        assert browser.get(path).status_code == 200
        took[name] = time.process_time() - began
    began = time.process_time()
    assert browser.post("/datasets/big/correct", clip=SECOND, seen="", text="Right.").status_code == 200
    took["correct"] = time.process_time() - began

    print({name: f"{seconds * 1000:.0f} ms" for name, seconds in took.items()})  # noqa: T201
    assert max(took["again"], took["filter"], took["sort"]) < 1.0  # of CPU; 0.01 s each were measured


def test_a_rejection_without_a_file_is_heard_from_the_recording(browser, tmp_path: Path) -> None:
    settings = browser.context.settings
    python = settings.envs / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    dataset, book = folder(browser), tmp_path / "book.m4b"
    with wave.open(str(book), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(24_000)
        sound.writeframes(bytes(2 * 24_000 * 20))
    document = {"params": {"audio": str(book), "out_dir": str(dataset)}}
    row = {"id": "ingest_audiobook-20260101-000000-0001", "kind": "ingest_audiobook", "spec_hash": "",
           "resource": "cpu",
           "document": json.dumps(document), "environment": "ml", "max_tries": 1, "created_at": 1.0,
           "state": "succeeded", "attempt": 0, "ended_at": 2.0}  # fmt: skip
    store = Store(Home(settings.home))
    with store.transaction() as connection:
        store.insert(connection, row, None)
    gap = Rejection(source=Source(recording="book.m4b", start_s=4.0, end_s=5.0), reason="not_in_text")
    write_rows(dataset / "rejections.jsonl", [gap])

    panel = browser.get("/datasets/anna/clip?key=book.m4b@4.000-5.000").text
    sound = browser.get("/datasets/anna/excerpt?key=book.m4b@4.000-5.000")

    assert 'data-start="3.0"' in panel
    assert "/excerpt?key=book.m4b%404.000-5.000" in panel
    with wave.open(io.BytesIO(sound.content)) as heard:
        assert heard.getnframes() == 3 * 24_000, "a second before it, itself, a second after it"
    around = browser.get(f"/datasets/anna/clip?key={SECOND}").text
    assert "With a second around it" in around
    book.unlink()
    assert "There is no file of it" in browser.get("/datasets/anna/clip?key=book.m4b@4.000-5.000").text
    assert browser.get("/datasets/anna/excerpt?key=book.m4b@4.000-5.000").status_code == 400
