"""Texts by real weights of Whisper, which are not part of the project: ``./run.sh setup whisper``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.dataset.transcript import measure
from jobs.errors import UserError
from jobs.ingest_audiobook.params import Params, hears_segments, uses_whisper
from jobs.ingest_audiobook.work import make_clips, run
from jobs.settings import PROJECT_ROOT

LANGUAGES = PROJECT_ROOT.parent / "shared" / "data" / "languages"


def test_numbers_and_abbreviations_of_a_german_book_are_kept_as_it_writes_them(
    whisper_base: Path, tmp_path: Path, make_context: Callable[[], Any]
) -> None:
    if not (LANGUAGES / "german.flac").is_file():
        pytest.skip("needs the German recording in ../shared/data/languages")
    params = Params(
        audio=str(LANGUAGES / "german.flac"), text=str(LANGUAGES / "german.txt"), voice="anna", language="german",
        whisper_model=str(whisper_base), whisper_device="cpu", end_s=11.0, out_dir=str(tmp_path / "anna"),
    )  # fmt: skip

    records = list(make_clips(params, make_context()).state.finished())

    clips = [clip for record in records for clip in record.clips]
    assert [(clip.text, clip.transcript) for clip in clips] == [
        (
            "Am 3. Mai 1889 kam Herr Dr. Müller um 8 Uhr in die Stadt. "
            "Er hatte 25 Bücher dabei, z. B. ein altes Wörterbuch.",
            "book",
        )
    ]
    assert sum(record.n_words for record in records) == 24


@pytest.fixture
def fables() -> str:
    """The text of the sample recording as it is read, on one line."""
    return " ".join((PROJECT_ROOT / "samples" / "fables.txt").read_text(encoding="utf-8").split())


def test_clips_of_the_sample_are_whole_sentences_of_its_text(whisper_base: Path, fables: str, tmp_path: Path) -> None:
    text = tmp_path / "fables.txt"
    text.write_text(fables)

    figures = measure(
        PROJECT_ROOT / "samples" / "fables.m4b", fables, text=str(text), transcript="whisper",
        whisper_model=str(whisper_base), whisper_device="cpu",
    )  # fmt: skip

    assert figures["wrong_clips"] == figures["false_ends"] == 0
    # of 87 words: by the CPU's arithmetic Whisper is in doubt about a sentence of ten
    assert figures["placed"] >= 0.87
    assert figures["in_sentences"] == 1.0
    assert 5.0 <= figures["median_s"] <= 12.0


def test_without_a_text_whole_sentences_of_the_sample_are_heard(whisper_base: Path, fables: str) -> None:
    figures = measure(
        PROJECT_ROOT / "samples" / "fables.m4b", fables, transcript="whisper", whisper_model=str(whisper_base),
        whisper_device="cpu",
    )  # fmt: skip

    assert figures["wer"] <= 0.05
    assert figures["right_ends"] >= 17
    assert figures["clips_with_false_end"] == 0
    assert figures["speech_kept"] >= 0.99


def test_a_text_of_another_book_keeps_nothing_and_says_so(
    whisper_tiny_en: Path, fables: str, tmp_path: Path, make_context: Callable[[], Any]
) -> None:
    words = fables.split()
    (tmp_path / "other.txt").write_text(" ".join(sorted(words)))
    params = Params(
        audio=str(PROJECT_ROOT / "samples" / "fables.m4b"), text=str(tmp_path / "other.txt"), voice="slt",
        transcript="whisper", whisper_model=str(whisper_tiny_en), whisper_device="cpu", out_dir=str(tmp_path / "slt"),
    )  # fmt: skip

    with pytest.raises(UserError) as caught:
        run(params, make_context())

    assert caught.value.code == "nothing_kept"
    assert "not_in_text" in str(caught.value)


def test_german_speech_is_not_kept_as_english_text(
    whisper_base: Path, tmp_path: Path, make_context: Callable[[], Any]
) -> None:
    if not (LANGUAGES / "german.flac").is_file():
        pytest.skip("needs the German recording in ../shared/data/languages")
    params = Params(
        audio=str(LANGUAGES / "german.flac"), transcript="whisper", voice="anna", language="english",
        whisper_model=str(whisper_base), whisper_device="cpu", end_s=30.0, out_dir=str(tmp_path / "anna"),
    )  # fmt: skip

    with pytest.raises(UserError) as refused:
        run(params, make_context())

    assert refused.value.code == "nothing_kept"
    assert "other_language" in str(refused.value)
    assert "german" in str(refused.value)


@pytest.mark.parametrize("language", ["english", "spanish"])
def test_given_texts_are_kept_where_every_word_is_heard_at_its_time(
    whisper_base: Path, tmp_path: Path, make_context: Callable[[], Any], language: str
) -> None:
    audio = PROJECT_ROOT / "samples" / "fables.m4b" if language == "english" else LANGUAGES / f"{language}.flac"
    if not audio.is_file():
        pytest.skip(f"needs the recording {audio.name} in ../shared/data/languages")
    common: dict[str, Any] = {
        "audio": str(audio), "voice": "anna", "language": language, "transcript": "whisper",
        "whisper_model": str(whisper_base), "whisper_device": "cpu", "min_clip_s": 0.5, "target_clip_s": 0.5,
    }  # fmt: skip
    book = Params(**common, text=str(audio.with_suffix(".txt")), out_dir=str(tmp_path / "book"))
    sentences = [one for record in make_clips(book, make_context()).state.finished() for one in record.sentences]
    said = [one.text for one in sentences]
    wrong = [" ".join(text.split()[1:]) if k % 3 == 1 else text for k, text in enumerate(said)]

    kept = {}
    for way, texts in {"as said": said, "a word less": wrong, "a line off": [*said[1:], said[0]]}.items():
        lines = [
            {"start": one.start_s, "end": one.end_s, "text": text} for one, text in zip(sentences, texts, strict=True)
        ]
        (tmp_path / "given.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        given = Params(**common, segments_jsonl=str(tmp_path / "given.jsonl"), out_dir=str(tmp_path / way))
        records = list(make_clips(given, make_context()).state.finished())
        kept[way] = [clip.text for record in records for clip in record.clips]

    assert hears_segments(given)
    assert len(kept["as said"]) >= 0.8 * len(said)
    assert set(kept["a word less"]) <= set(said)
    assert len(kept["a word less"]) >= 0.5 * len(said)
    assert kept["a line off"] == []


def test_whisper_hears_given_segments_where_it_is_asked_for_or_named(tmp_path: Path) -> None:
    given = {"audio": "a.m4b", "voice": "anna", "segments_jsonl": str(tmp_path / "given.jsonl")}

    plain, asked, named = (
        Params(**given, **more) for more in ({}, {"transcript": "whisper"}, {"whisper_model": "base"})
    )

    assert [hears_segments(each) for each in (plain, asked, named)] == [False, True, True]
    assert [uses_whisper(each) for each in (plain, asked, named)] == [False, True, True]
