"""Books on the pages: chapters and passages to hear, and those that are spoken again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.web.pages import books
from tests.server.web.conftest import add_job, make_book
from tests.support.html_page import HOSTILE

JOB = "narrate-20260101-000000-0001"
KEY = "13".ljust(24, "0")


@pytest.fixture
def folder(browser) -> Path:
    home = browser.context.settings.home
    make_book(home, home / "book", JOB)
    return home / "book"


def test_an_empty_home_says_how_to_begin(browser) -> None:
    assert "narrate" in browser.get("/books").text


def test_a_book_is_listed_once_however_often_it_was_narrated(browser, folder: Path) -> None:
    newer = "narrate-20260102-000000-0002"
    add_job(browser.context.settings.home, newer, "cancelled", {"text": "x", "out_dir": str(folder)}, created_at=5.0)

    page = browser.get("/books").text

    assert page.count("<li>") == 1
    assert f"/books/{newer}" in page
    assert "2 chapters" in page
    assert "2 doubtful passages" in page
    assert "<script>alert" not in page
    assert "Passage 0 of chapter 1" in browser.get(f"/books/{newer}").text


def test_a_chapter_shows_its_passages_and_a_list_shows_the_doubtful_ones(browser, folder: Path) -> None:
    first, second = (browser.get(f"/books/{JOB}{query}").text for query in ("", "?chapter=2"))
    doubtful = browser.get(f"/books/{JOB}?show=doubtful").text

    assert first.count("data-from=") == second.count("data-from=") == 6
    assert first.count('class="doubtful"') == 1
    assert doubtful.count("data-from=") == doubtful.count('class="doubtful"') == 2
    for page in (first, second, doubtful):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
    assert browser.get(f"/books/{JOB}?chapter=9").status_code == 404


def test_chapters_and_takes_are_heard_and_nothing_else(browser, folder: Path) -> None:
    (folder / "secret.mp3").symlink_to("/etc/hostname")

    assert browser.get(f"/books/{JOB}/chapters/2").content == b"chapter 2"
    assert browser.get(f"/books/{JOB}/passages/{KEY}").content == f"passage {KEY}".encode()
    for path in ("chapters/3", "chapters/x", f"passages/{'f' * 24}", "passages/..%2f..%2fbook.json", "secret.mp3"):
        assert browser.get(f"/books/{JOB}/{path}").status_code == 404
    (folder / "001.mp3").unlink()
    (folder / "001.mp3").symlink_to("/etc/hostname")
    assert browser.get(f"/books/{JOB}/chapters/1").status_code == 404


def test_an_index_is_read_once_for_all_sounds_of_a_page_and_again_when_it_has_changed(browser, folder: Path) -> None:
    books._read_index.cache_clear()
    for _ in range(3):
        browser.get(f"/books/{JOB}/passages/{KEY}")
        browser.get(f"/books/{JOB}/chapters/1")
    n_read_before = books._read_index.cache_info().misses
    (folder / "book.json").write_text((folder / "book.json").read_text() + " ")
    browser.get(f"/books/{JOB}/chapters/1")

    assert (n_read_before, books._read_index.cache_info().misses) == (1, 2)


def test_chosen_passages_are_spoken_again_by_the_tool(browser, folder: Path) -> None:
    none = browser.post(f"/books/{JOB}/again", key="")
    chosen = browser.post(f"/books/{JOB}/again", key=KEY)

    assert "No passage was chosen" in none.text
    assert chosen.status_code == 400
    assert "model" in chosen.text, "the tool is called, and the voice is not there"


def test_an_index_of_another_form_says_what_to_do(browser, folder: Path) -> None:
    (folder / "book.json").write_text(json.dumps({"title": HOSTILE}))

    answer = browser.get(f"/books/{JOB}")

    assert answer.status_code == 400
    assert "book_unreadable" in answer.text


def test_an_index_that_is_a_link_out_of_the_folder_is_not_read(browser, folder: Path, tmp_path: Path) -> None:
    assert "book_unreadable" not in browser.get(f"/books/{JOB}").text

    (folder / "book.json").rename(tmp_path / "elsewhere.json")
    (folder / "book.json").symlink_to(tmp_path / "elsewhere.json")

    assert "book_unreadable" in browser.get(f"/books/{JOB}").text


def test_a_job_of_another_kind_is_no_book(browser, folder: Path) -> None:
    add_job(browser.context.settings.home, "align-20260102-000000-0002", "cancelled", {})

    assert browser.get("/books/align-20260102-000000-0002").status_code == 404
