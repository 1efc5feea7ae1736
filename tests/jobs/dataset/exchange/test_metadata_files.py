"""Metadata of other tools: which column is what, quotes of spreadsheets, paths of other machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.dataset.exchange.importers import take
from jobs.dataset.manifest import read_numbered_rows
from jobs.errors import UserError
from jobs.ingest_clips.params import TranscriptLine, layout_of
from jobs.ingest_clips.transcript_parser import find_lines
from tests.support.hostile.datasets.sound_files import write_wav

FIRST, SECOND = "It was, he said, a day.", "The second one came."


def parse(folder: Path, content: str, name: str = "metadata.csv") -> list[tuple[str, str, str | None, str | None]]:
    """Give name, text, speaker and language of each line; the name only where its file was found."""
    for clip in ("a", "b"):
        write_wav(folder / "wavs" / f"{clip}.wav")
    (folder / name).write_bytes(content.encode("utf-8"))
    assert layout_of(folder / name) == "ljspeech"
    return [
        (clip.sound.name if isinstance(clip.sound, Path) else clip.sound.reason, clip.text, clip.speaker, clip.language)
        for clip in take("ljspeech", folder / name, folder / "scratch")
    ]


@pytest.mark.parametrize(
    ("content", "speakers", "languages"),
    [
        (f"a|{FIRST}|{FIRST}\nb|{SECOND}|{SECOND}\n", (None, None), (None, None)),
        (f"a|{FIRST}\nb|{SECOND}\n", (None, None), (None, None)),
        (f"a|linda|{FIRST}\nb|linda|{SECOND}\n", ("linda", "linda"), (None, None)),
        (f"wavs/a.wav|{FIRST}|anna\nwavs/b.wav|{SECOND}|ben\n", ("anna", "ben"), (None, None)),
        (f"audio_file|text|speaker_name\nwavs/a.wav|{FIRST}|anna\nwavs/b.wav|{SECOND}|ben\n", ("anna", "ben"),
         (None, None)),
        (f"wavs/a.wav|ann|EN|{FIRST}\nwavs/b.wav|ann|JP|{SECOND}\n", ("ann", "ann"), ("en", "ja")),
        (f'\ufefffile,text,lang\r\na.wav,"{FIRST}",en\r\nb.wav,{SECOND},de\r\n', (None, None), ("en", "de")),
        (f"a|linda|{FIRST}|{FIRST.lower()}\nb|linda|{SECOND}|{SECOND.lower()}\n", ("linda", "linda"), (None, None)),
        (f"a|EN-default|en-us|{FIRST}|{FIRST}\nb|EN-default|zh_CN|{SECOND}|{SECOND}\n",
         ("EN-default", "EN-default"), ("en", "zh")),
        (f"a|{FIRST}|0\nb|{SECOND}|1\n", ("speaker_0", "speaker_1"), (None, None)),
        (f"a|Linda Smith|{FIRST}\nb|Linda Smith|{SECOND}\n" * 3, ("Linda_Smith", "Linda_Smith") * 3, (None, None) * 3),
        (f'a,linda,"{FIRST}"\nb,linda,{SECOND}\n', ("linda", "linda"), (None, None)),
        (f'sep=;\r\n"a";"{FIRST}"\r\n"b";"{SECOND}"\r\n', (None, None), (None, None)),
        (f"data/example/wavs/a.wav|{FIRST}\ndata/example/wavs/b.wav|{SECOND}\n", (None, None), (None, None)),
        (f"wavs\\a.wav|{FIRST}\nD:\\books\\wavs\\b.wav|{SECOND}\n", (None, None), (None, None)),
        (f"/home/me/data/wavs/a.wav|{FIRST}\n/home/me/data/other/b.wav|{SECOND}\n", (None, None), (None, None)),
    ],
)  # fmt: skip
def test_the_columns_of_other_tools_are_known(
    tmp_path: Path, content: str, speakers: tuple[str | None, ...], languages: tuple[str | None, ...]
) -> None:
    found = parse(tmp_path, content)

    assert [(name, text) for name, text, *_ in found] == [("a.wav", FIRST), ("b.wav", SECOND)] * (len(found) // 2)
    assert tuple(speaker for _, _, speaker, _ in found) == speakers
    assert tuple(language for *_, language in found) == languages


def test_quotes_of_a_spreadsheet_are_taken_off_and_quotes_of_a_text_are_kept(tmp_path: Path) -> None:
    written = parse(tmp_path / "by hand", 'a|"So," he said.\nb|"Quite so."\n')
    saved = parse(tmp_path / "saved", 'a|"the ""missal type,"""\nb|"Well, so."\n')

    assert [text for _, text, *_ in written] == ['"So," he said.', '"Quite so."']
    assert [text for _, text, *_ in saved] == ['the "missal type,"', "Well, so."]


def test_quotes_that_are_around_every_field_or_every_text_are_taken_off(tmp_path: Path) -> None:
    fields = parse(tmp_path / "fields", '"a"|"Well, so."\n"b"|"Quite so."\n')
    texts = parse(tmp_path / "texts", "".join(f'{name}|"Well, so."\n' for name in "ababa"))
    spoken = parse(tmp_path / "spoken", 'a|"Well, so."\n' + "".join(f'{name}|"So," he said.\n' for name in "ababa"))

    assert [(name, text) for name, text, *_ in fields] == [("a.wav", "Well, so."), ("b.wav", "Quite so.")]
    assert {text for _, text, *_ in texts} == {"Well, so."}
    assert [text for _, text, *_ in spoken][:2] == ['"Well, so."', '"So," he said.']


def test_a_text_in_quotes_with_a_line_break_is_one_text(tmp_path: Path) -> None:
    found = parse(tmp_path / "saved", 'a|"It was,\r\nhe said, a day."\nb|"The second\none ""came""."\n')
    comma = parse(tmp_path / "comma", 'file,text\na.wav,"It was,\nhe said, a day."\nb.wav,The second one came.\n')
    speech = parse(tmp_path / "speech", 'a|"It was so, he said.\nb|It was not so."\n')

    assert [text for _, text, *_ in found] == [FIRST, 'The second one "came".']
    assert [text for _, text, *_ in comma] == [FIRST, SECOND]
    assert [text for _, text, *_ in speech] == ['"It was so, he said.', 'It was not so."']


def test_a_list_without_texts_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        parse(tmp_path, "".join(f"{name}|linda\n" for name in "ababa"))

    assert refused.value.code == "dataset_unreadable"
    assert "no column of it holds texts" in str(refused.value)


def test_words_alone_are_texts_beside_the_name_of_a_speaker(tmp_path: Path) -> None:
    found = parse(tmp_path, "a|linda|yes\nb|linda|no\na|linda|yes\nb|linda|up\na|linda|on\n")

    assert [text for _, text, *_ in found] == ["yes", "no", "yes", "up", "on"]


def test_a_folder_whose_list_has_another_name_names_the_list(tmp_path: Path) -> None:
    (tmp_path / "metadata_train.csv").write_text("a|b\n")

    with pytest.raises(UserError, match=r"metadata_train\.csv") as refused:
        layout_of(tmp_path)

    assert refused.value.code == "layout_unknown"


def test_a_path_that_climbs_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    found = parse(tmp_path, "../../a.wav|Some words.\n..\\..\\a.wav|Some words.\n")

    assert [name for name, *_ in found] == ["path_outside", "audio_missing"]


@pytest.mark.parametrize(
    "line",
    [
        {"audio": "./data/a.wav", "text": FIRST, "ref_audio": "./data/ref.wav"},  # Qwen's train_raw.jsonl
        {"audio_filepath": "/mnt/nemo/data/a.wav", "text": FIRST, "duration": 1.5},  # NeMo
        {"audio_file": "data\\a.wav", "text": FIRST},
    ],
)
def test_lines_of_other_tools_are_read_also_behind_a_byte_order_mark(tmp_path: Path, line: dict[str, object]) -> None:
    write_wav(tmp_path / "data" / "a.wav")
    lines = tmp_path / "train_raw.jsonl"
    lines.write_text(json.dumps(line) + "\n", encoding="utf-8-sig")

    (clip,) = find_lines(read_numbered_rows(lines, TranscriptLine), tmp_path)

    assert (clip.text, clip.sound) == (FIRST, tmp_path / "data" / "a.wav")
