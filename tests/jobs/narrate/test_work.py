"""A book becomes an audiobook: chapters, order, loudness, kills, edits, with a tiny voice that speaks noise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from pydantic import ValidationError

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip
from jobs.errors import UserError
from jobs.narrate.params import Params, check
from jobs.narrate.report.book_index import read_index
from jobs.narrate.script.passages import LEAD_S
from jobs.narrate.sound.loudness import measure_loudness
from jobs.narrate.sound.timeline import MARGIN_BEFORE_S
from jobs.narrate.spec import KIND
from jobs.narrate.work import run
from jobs.runner.worker.context import Cancelled
from tests.jobs.narrate.conftest import BOOK
from tests.support.declared_outputs import list_undeclared

Make = Callable[..., Params]


def hashes(folder: Path) -> dict[str, str]:
    """What the audio files of a narration hold."""
    files = [path for path in folder.iterdir() if path.suffix in (".m4b", ".mp3", ".flac", ".srt", ".vtt")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def cue_times(path: Path) -> list[tuple[float, float, str]]:
    """Start, end and text of each cue of an ``.srt``."""
    cues = []
    for block in path.read_text().strip().split("\n\n"):
        _, times, text = block.split("\n", 2)
        start, end = (
            sum(float(part) * size for part, size in zip(time.replace(",", ".").split(":"), (3600, 60, 1), strict=True))
            for time in times.split(" --> ")
        )
        cues.append((start, end, text))
    return cues


def test_a_book_becomes_an_m4b_with_its_chapters_and_every_passage_once_and_in_order(
    make_params: Make, make_context, tmp_path: Path
) -> None:
    params = make_params()
    check(params)

    result = run(params, make_context())

    out = tmp_path / "out"
    assert list_undeclared(KIND, out_dir=out) == []
    with av.open(result.audiobook) as book:
        marks = [(float(mark["start"] * mark["time_base"]), mark["metadata"]["title"]) for mark in book.chapters()]
        tags = {name: book.metadata[name] for name in ("title", "artist", "genre", "major_brand")}
    assert tags == {"title": "Two Birds", "artist": "A. Writer", "genre": "Audiobook", "major_brand": "M4B "}
    assert [title for _, title in marks] == ["Chapter I: The Crow", "Chapter II: The Hen"]

    cues = cue_times(out / "book.srt")
    assert [text for *_, text in cues] == [
        "Chapter I: The Crow",
        "A thirsty crow found a pitcher. There was only a little water in it, so the bird had to think.",
        '"Will it rise?" the crow asked; and it did.',
        "Chapter II: The Hen",
        "Ms. Frobisher kept a hen, and the hen laid an egg on each day of the year.",
    ]
    sound = read_clip(Path(result.audiobook), CLIP_RATE_HZ)
    assert len(sound) / CLIP_RATE_HZ == pytest.approx(result.duration_s, abs=0.05)
    for mark_s, heading in zip((mark for mark, _ in marks), (cues[0], cues[3]), strict=True):
        assert heading[0] - mark_s == pytest.approx(LEAD_S, abs=0.002)
        before = sound[round((mark_s + 0.1) * CLIP_RATE_HZ) : round((heading[0] - 0.05) * CLIP_RATE_HZ)]
        spoken = sound[round((heading[0] + MARGIN_BEFORE_S) * CLIP_RATE_HZ) :][: CLIP_RATE_HZ // 20]
        assert np.abs(before).max() < 0.002 < 0.02 < np.abs(spoken).max()


def test_each_chapter_keeps_loudness_and_peaks_after_coding(make_params: Make, make_context, tmp_path: Path) -> None:
    result = run(make_params(), make_context())

    with av.open(result.audiobook) as book:
        spans = [(mark["start"] / 1000, mark["end"] / 1000) for mark in book.chapters()]
    sound = read_clip(Path(result.audiobook), CLIP_RATE_HZ)
    chapters = [sound[round(start * CLIP_RATE_HZ) : round(end * CLIP_RATE_HZ)] for start, end in spans]
    chapters += [read_clip(tmp_path / "out" / f"{number:03d}.mp3", CLIP_RATE_HZ) for number in (1, 2)]
    for chapter in chapters:
        found = measure_loudness([chapter])
        assert -20 < found.lufs < -18
        assert found.peak_dbfs <= -3


@pytest.mark.parametrize("n_reports", [1, 3, 5, 6])
def test_a_narration_that_was_stopped_anywhere_goes_on_to_the_same_bytes(
    n_reports: int, make_params: Make, make_context, tmp_path: Path
) -> None:
    whole = run(make_params(out_dir=str(tmp_path / "whole")), make_context())
    stopped, context = make_context(), make_context()
    stopped.cancel_after_progress = n_reports
    with pytest.raises(Cancelled):
        run(make_params(), stopped)
    journal = tmp_path / "out" / "passages" / "takes.jsonl"
    with journal.open("a") as stream:
        stream.write('{"key": "take half wri')

    result = run(make_params(), context)

    assert hashes(tmp_path / "out") == hashes(Path(whole.folder))
    assert result.n_spoken == whole.n_spoken - (n_reports - 1)


def test_an_edit_speaks_only_what_changed_and_removes_chapters_that_are_gone(
    make_params: Make, make_context, tmp_path: Path
) -> None:
    params = make_params(chapter_audio="flac")
    run(params, make_context())
    text = Path(params.text)
    text.write_text(BOOK.replace("laid an egg", "laid two eggs"))
    edited = run(params, make_context())
    text.write_text(BOOK[: BOOK.index("# Chapter II")])

    shorter = run(params, make_context())

    assert (edited.n_passages, edited.n_spoken) == (5, 1)
    assert (shorter.n_passages, shorter.n_spoken) == (3, 0)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.flac")) == ["001.flac"]


def test_files_that_a_person_puts_into_the_folder_meanwhile_stay(
    make_params: Make, make_context, tmp_path: Path
) -> None:
    params = make_params(chapter_audio="flac")
    run(params, make_context())
    Path(params.text).write_text(BOOK[: BOOK.index("# Chapter II")].replace("laid an egg", "laid two eggs"))
    out, context = tmp_path / "out", make_context()
    mine = [out / "2024 my holiday.mp3", out / "100 songs.mp3" / "only copy.txt", out / "017.flac"]
    report = context.progress

    def put_files_and_report(*args: Any, **metrics: float) -> None:
        for path in mine:
            path.parent.mkdir(exist_ok=True)
            path.write_text("mine")
        report(*args, **metrics)

    context.progress = put_files_and_report

    run(params, context)

    assert [path.read_text() for path in mine] == ["mine"] * 3
    assert sorted(path.name for path in out.glob("00*.flac")) == ["001.flac"]


@pytest.mark.parametrize(
    "altered",
    [{"duration_s": float("inf")}, {"duration_s": -1e308}, {"rating": float("nan")}, {"attempt": 10**280},
     {"reasons": ["x"] * 60}, {"reasons": ["x" * 20_000]}],
)  # fmt: skip
def test_what_a_stranger_wrote_into_the_journal_of_takes_counts_as_not_spoken(
    altered: dict[str, Any], make_params: Make, make_context, tmp_path: Path
) -> None:
    whole = run(make_params(), make_context())
    before = hashes(tmp_path / "out")
    journal = tmp_path / "out" / "passages" / "takes.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line["value"] |= {name: value for name, value in altered.items() if name in line["value"]}
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))

    again = run(make_params(), make_context())

    assert again.duration_s == whole.duration_s
    assert hashes(tmp_path / "out") == before


def test_the_list_of_words_comes_without_speech(make_params: Make, make_context, tmp_path: Path) -> None:
    result = run(make_params(list_words=True), make_context())

    assert (result.audiobook, result.n_spoken) == (None, 0)
    assert "Frobisher =  # 1\n" in Path(result.words).read_text()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["words.txt"]


def test_takes_without_an_end_are_spoken_again_and_named_in_the_report(
    make_params: Make, make_context, tmp_path: Path
) -> None:
    result = run(make_params(respeak=1), make_context())

    page = (tmp_path / "out" / "report.html").read_text()
    assert (result.n_spoken, result.n_doubtful) == (10, 5)
    assert "no end of speech before the limit" in page
    assert page.count("<audio") == 1 + 2 + 5
    assert len(list((tmp_path / "out" / "passages").glob("*.wav"))) == 5


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "book.pdf"}, "text_unreadable"),
        ({"text": "missing.txt"}, "text_missing"),
        ({"ref_text": "Hello."}, "ref_audio_missing"),
        ({"speaker": "otto"}, "speaker_unknown"),
    ],
)
def test_a_call_that_cannot_work_is_refused_before_it_is_queued(
    changes: dict[str, str], code: str, make_params: Make, tmp_path: Path
) -> None:
    if "text" in changes:
        changes = {"text": str(tmp_path / changes["text"])}
    with pytest.raises(UserError) as refused:
        check(make_params(**changes))

    assert refused.value.code == code


def test_a_chapter_that_is_not_there_is_refused(make_params: Make, make_context) -> None:
    with pytest.raises(UserError) as refused:
        run(make_params(chapters=[2, 3]), make_context())

    assert refused.value.code == "chapter_unknown"
    assert "no chapter 3" in refused.value.message


def test_a_book_to_read_along_is_made_when_asked_for_and_removed_when_not(
    make_params: Make, make_context, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with_book = run(make_params(read_along=True), make_context())
    assert with_book.read_along == str(out / "book.epub")
    assert list_undeclared(KIND, out_dir=out) == []

    without = run(make_params(subtitles=False, chapter_audio="none"), make_context())

    assert without.read_along is None
    assert sorted(path.name for path in out.iterdir()) == [
        "book.json", "book.m4b", "passages", "report.html", "words.txt",
    ]  # fmt: skip
    with pytest.raises(ValidationError, match="chapter_audio is flac"):
        make_params(read_along=True, chapter_audio="flac")


def test_the_index_has_every_passage_where_it_is_heard(make_params: Make, make_context, tmp_path: Path) -> None:
    result = run(make_params(), make_context())

    out = tmp_path / "out"
    book = read_index(out)
    assert (book.title, [chapter.audio for chapter in book.chapters]) == ("Two Birds", ["001.mp3", "002.mp3"])
    heard = [
        (chapter.start_s + passage.start_s, chapter.start_s + passage.end_s, passage.text)
        for chapter in book.chapters
        for passage in chapter.passages
    ]
    for found, cue in zip(heard, cue_times(out / "book.srt"), strict=True):
        assert found[:2] == pytest.approx(cue[:2], abs=0.002)
        assert found[2] == cue[2]
    assert sum(chapter.n_doubtful for chapter in book.chapters) == result.n_doubtful == 5
    (out / "book.json").write_text('{"title": "x", "chapters": [{"audio": "../../x"}]}')
    with pytest.raises(UserError, match=r"no readable book\.json"):
        read_index(out)


def test_a_passage_is_spoken_again_when_it_is_asked_for_and_stays_so(
    make_params: Make, make_context, tmp_path: Path
) -> None:
    first = run(make_params(), make_context())
    out = tmp_path / "out"
    passages = [passage for chapter in read_index(out).chapters for passage in chapter.passages]
    before = {path.name: path.read_bytes() for path in (out / "passages").glob("*.wav")}
    key = passages[1].key

    again = run(make_params(takes={key: 2}), make_context())
    same = run(make_params(takes={key: 2}), make_context())
    without = run(make_params(), make_context())

    assert (first.n_spoken, again.n_spoken, same.n_spoken, without.n_spoken) == (5, 1, 0, 0)
    now = {path.name: path.read_bytes() for path in (out / "passages").glob("*.wav")}
    assert set(now) ^ set(before) == {f"{key}_1.wav", f"{key}_2.wav"}
    assert now[f"{key}_2.wav"] != before[f"{key}_1.wav"]
    assert [passage.attempt for chapter in read_index(out).chapters for passage in chapter.passages] == [1, 2, 1, 1, 1]


def test_a_passage_that_the_book_does_not_have_is_named(make_params: Make, make_context) -> None:
    with pytest.raises(UserError) as refused:
        run(make_params(takes={"0" * 24: 2}), make_context())

    assert refused.value.code == "passage_unknown"
    with pytest.raises(ValidationError):
        make_params(takes={"../x": 2})


def test_marked_parts_are_spoken_by_their_speaker_and_an_unknown_one_is_refused(
    make_params: Make, make_context, tmp_path: Path
) -> None:
    text = tmp_path / "talk.md"
    text.write_text("# One\n\nHe said: [speaker: nora] Go on.\n")

    plain = run(make_params(text=str(text), out_dir=str(tmp_path / "plain")), make_context())
    marked = run(make_params(text=str(text), marks=True, out_dir=str(tmp_path / "marked")), make_context())

    assert (plain.n_passages, marked.n_passages) == (2, 3)
    assert [cue[2] for cue in cue_times(tmp_path / "marked" / "book.srt")] == ["One", "He said:", "Go on."]
    text.write_text("# One\n\n[speaker: otto] Go on.\n")
    with pytest.raises(UserError) as refused:
        run(make_params(text=str(text), marks=True), make_context())
    assert refused.value.code == "speaker_unknown"
