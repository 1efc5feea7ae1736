"""The transcript beside a dataset: what it holds, and what comes of it when it is edited and given back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pysubs2
import pytest

from jobs.errors import UserError
from jobs.files.output_marks import Place
from jobs.ingest_audiobook.params import Params, check, transcript_source
from jobs.ingest_audiobook.spec import KIND
from jobs.ingest_audiobook.text.file_transcript import time_parts
from jobs.ingest_audiobook.text.transcript_rows import Sentence, read_transcript
from jobs.ingest_audiobook.work import make_clips, run
from jobs.runner.outputs import find_places
from jobs.runner.worker.context import Cancelled
from tests.support.null_context import NullContext

Rows = Callable[[Path], list[dict[str, Any]]]
Contexts = Callable[[], Any]


@pytest.fixture
def dataset(ingested: Any, tmp_path: Path) -> Path:
    """A copy of the sample book's dataset."""
    return Path(shutil.copytree(ingested.dataset, tmp_path / "slt"))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def given_back(sample_book: dict[str, Any], dataset: Path, out: Path | None = None) -> Params:
    rest = {name: value for name, value in sample_book.items() if name != "text"}
    return Params(**rest, transcript_file=str(dataset / "transcript.jsonl"), out_dir=str(out or dataset))


def test_every_sentence_is_written_with_times_words_origin_and_score(
    dataset: Path, sample_book: dict[str, Any], rows: Rows
) -> None:
    found = rows(dataset / "transcript.jsonl")

    lines = [line for line in Path(sample_book["text"]).read_text().splitlines() if line]
    assert " ".join(row["text"] for row in found) == " ".join(lines)
    for row in found:
        assert row["origin"] == "book"
        assert 0 < row["score"] <= 1
        assert [row["start_s"], row["end_s"]] == [row["words"][0]["start_s"], row["words"][-1]["end_s"]]
        times = [time for word in row["words"] for time in (word["start_s"], word["end_s"])]
        assert times == sorted(times)
    cues = pysubs2.load(str(dataset / "subtitles" / "fables.srt"))
    assert [cue.text for cue in cues] == [row["text"] for row in found]
    assert cues[3].start == pytest.approx(1000 * found[3]["start_s"], abs=1)
    assert (dataset / "subtitles" / "fables.vtt").read_text().startswith("WEBVTT")


def test_a_transcript_given_back_unchanged_makes_the_same_clips(
    dataset: Path, sample_book: dict[str, Any], make_context: Contexts, tmp_path: Path, rows: Rows
) -> None:
    make_clips(given_back(sample_book, dataset, tmp_path / "again"), make_context())

    before = rows(dataset / "train_manifest.jsonl")
    records = [json.loads(path.read_text()) for path in sorted((tmp_path / "again" / ".ingest").glob("unit_*.json"))]
    again = [clip for record in records for clip in record["clips"]]
    assert [[clip["text"], clip["source"]] for clip in again] == [[clip["text"], clip["source"]] for clip in before]
    for clip in again:
        assert (tmp_path / "again" / clip["audio"]).read_bytes() == (dataset / clip["audio"]).read_bytes()


def test_only_what_was_edited_is_cut_again(
    dataset: Path, sample_book: dict[str, Any], make_context: Contexts, rows: Rows
) -> None:
    before = {clip["audio"]: clip["text"] for clip in rows(dataset / "train_manifest.jsonl")}
    sentences = rows(dataset / "transcript.jsonl")
    sentences[1]["text"] = sentences[1]["text"].replace(sentences[1]["words"][2]["word"], "changed", 1)
    gone = sentences.pop(4)["text"]
    write_rows(dataset / "transcript.jsonl", sentences)
    context = make_context()
    files = {path.name: path.stat().st_ino for path in (dataset / "clips").iterdir()}
    second = (dataset / ".ingest" / "unit_00001.json").stat().st_ino

    run(given_back(sample_book, dataset), context)

    after = {clip["audio"]: clip["text"] for clip in rows(dataset / "train_manifest.jsonl")}
    assert sum(text not in before.values() for text in after.values()) == 1
    assert any("changed" in text for text in after.values())
    assert not any(gone in text for text in after.values())
    assert set(after) <= set(before)  # each clip of the same samples keeps its name
    assert {f"clips/{path.name}" for path in (dataset / "clips").iterdir()} >= set(after)
    assert (dataset / ".ingest" / "unit_00001.json").stat().st_ino == second  # the other chapter was not built again
    later = [clip["audio"] for clip in rows(dataset / "train_manifest.jsonl") if clip["source"]["chapter"] == 2]
    assert all((dataset / name).stat().st_ino == files[Path(name).name] for name in later)
    reasons = [row["reason"] for row in rows(dataset / "rejections.jsonl")]
    assert "not_in_transcript" in reasons
    assert not list((dataset / ".ingest").glob("replaced_*"))
    assert [row["text"] for row in rows(dataset / "transcript.jsonl")] == [row["text"] for row in sentences]


class Stops(NullContext):
    """Stops the job at its first progress."""

    def progress(self, *_: Any, **__: Any) -> None:
        """Stop."""
        raise Cancelled


def test_an_edit_that_was_stopped_ends_as_one_that_was_not(
    dataset: Path, sample_book: dict[str, Any], tmp_path: Path, rows: Rows
) -> None:
    sentences = rows(dataset / "transcript.jsonl")
    for number in (1, -2):  # in both chapters
        sentences[number]["text"] = "Something else."
    write_rows(dataset / "transcript.jsonl", sentences)
    stopped = Path(shutil.copytree(dataset, tmp_path / "stopped"))
    make_clips(given_back(sample_book, dataset), NullContext(tmp_path))

    for _ in range(2):
        with pytest.raises(Cancelled):
            make_clips(given_back(sample_book, stopped), Stops(tmp_path))
    make_clips(given_back(sample_book, stopped), NullContext(tmp_path))

    def content(folder: Path) -> dict[str, bytes]:
        files = [*(folder / "clips").iterdir(), *(folder / ".ingest").glob("*.json")]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    assert content(stopped) == content(dataset)
    clips = {clip["audio"] for clip in rows(dataset / "train_manifest.jsonl")}
    assert all((stopped / audio).is_file() for audio in clips)  # until there is another manifest


def test_an_edited_dataset_is_not_taken_for_that_of_the_first_call(
    dataset: Path, sample_book: dict[str, Any], make_context: Contexts, rows: Rows
) -> None:
    make_clips(given_back(sample_book, dataset), make_context())

    with pytest.raises(UserError, match="another transcript_file") as caught:
        make_clips(Params(**sample_book, out_dir=str(dataset)), make_context())
    assert caught.value.code == "dataset_differs"


def test_an_edited_transcript_may_be_replaced_by_the_call_that_reads_it(
    dataset: Path, sample_book: dict[str, Any], tmp_path: Path
) -> None:
    edited = find_places(KIND, given_back(sample_book, dataset), tmp_path / "home")
    other = find_places(KIND, Params(**sample_book, out_dir=str(dataset)), tmp_path / "home")

    def foreign(places: list[Place]) -> list[str]:
        return [name for place in places for name in place.foreign(lambda job, folder: None)]

    assert "transcript.jsonl" in foreign(other)
    assert set(foreign(other)) - set(foreign(edited)) == {"transcript.jsonl"}


def sentence(text: str, words: str, **more: Any) -> Sentence:
    """A sentence of which each word takes a second, with a pause of half a second after it."""
    said = [{"word": word, "start_s": 1.5 * k, "end_s": 1.5 * k + 1} for k, word in enumerate(words.split())]
    end_s = said[-1]["end_s"] if said else 4.0
    return Sentence.model_validate({"start_s": 0, "end_s": end_s, "text": text, "words": said, **more})


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("One, two - three.", "One two three", [("One", 0, 1), ("two", 1.5, 2.5), ("three", 3, 4)]),
        ("One too three.", "One two three", [("One", 0, 1), ("too", 1.5, 2.5), ("three", 3, 4)]),
        ("One and two.", "One two", [("One", 0, 1), ("and", 1, 1.5), ("two", 1.5, 2.5)]),
        ("One three.", "One two three", [("One", 0, 1), ("three", 3, 4)]),
        ("Quite another text.", "One two three", [("Quite another text", 0, 4)]),
        ("No words are known.", "", [("No words are known", 0, 4)]),
        ("well-known men", "well known men", [("well", 0, 1), ("known", 1.5, 2.5), ("men", 3, 4)]),
    ],
)
def test_words_that_are_still_there_keep_their_times_and_changes_are_never_cut(
    text: str, words: str, expected: list[tuple[str, float, float]]
) -> None:
    row = sentence(text, words)

    found = time_parts(text, row, "en")

    assert [(text[part.first_char : part.last_char], part.start_s, part.end_s) for part in found] == expected


def test_borders_that_were_moved_by_hand_are_those_of_the_first_and_last_word() -> None:
    row = sentence("One two.", "One two", start_s=0.25, end_s=3.0)

    assert [(part.start_s, part.end_s) for part in time_parts("One two.", row, "en")] == [(0.25, 1), (1.5, 3.0)]


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ('{"start_s": 1, "end_s": 2}', "manifest_unreadable", "line 1: text"),
        ('{"start_s": 1, "end_s": 2, "text": "a", "recording": "b.mp3"}', "segments_unclear", "no recording 'b.mp3'"),
        ("", "segments_empty", "holds no sentences"),
    ],
)
def test_lines_that_cannot_be_used_are_named(tmp_path: Path, line: str, code: str, says: str) -> None:
    (tmp_path / "transcript.jsonl").write_text(line + "\n")

    with pytest.raises(UserError, match=says) as caught:
        read_transcript(tmp_path / "transcript.jsonl", ["a.mp3"])
    assert caught.value.code == code


def test_a_transcript_beside_another_source_of_text_is_refused(tmp_path: Path) -> None:
    for name in ("book.mp3", "book.txt", "transcript.jsonl"):
        (tmp_path / name).write_bytes(b"x")
    common = {"audio": str(tmp_path / "book.mp3"), "voice": "lj"}
    file = {"transcript_file": str(tmp_path / "transcript.jsonl")}

    with pytest.raises(UserError, match="text is given, too"):
        check(Params(**common, **file, text=str(tmp_path / "book.txt")))
    with pytest.raises(UserError, match="outside_text=asr needs"):
        check(Params(**common, text=str(tmp_path / "book.txt"), outside_text="asr"))
    check(Params(**common, **file))
    assert transcript_source(Params(**common, **file)) == "file"
