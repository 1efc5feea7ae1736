"""What may be given: files of any kind and name, folders, parts of a book; and what is wrong with some."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from jobs.audio.clip_io import write_clip
from jobs.audio.recording import Recording
from jobs.errors import UserError
from jobs.ingest_audiobook.input.source_files import open_source_files
from jobs.ingest_audiobook.input.work_units import parse_chapters, select_units
from jobs.ingest_audiobook.params import Params
from jobs.settings import PROJECT_ROOT
from tests.support.repeated_recording import played_over

FABLES = PROJECT_ROOT / "samples" / "fables.m4b"


def tone(length_s: float, rate: int) -> np.ndarray:
    return (0.1 * np.sin(np.arange(int(length_s * rate)) / 20)).astype(np.float32)


def encode(path: Path, samples: np.ndarray, rate: int, codec: str, *, layout: str = "mono", form: str = "") -> Path:
    """Write channels (n, samples) by libavcodec."""
    with av.open(str(path), "w", format=form or None) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=rate, frame_size=stream.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate = rate
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def params(audio: Path, **more: object) -> Params:
    return Params(audio=str(audio), voice="v", **more)


def samples_of(recording: Recording, start: int = 0, end: int | None = None) -> np.ndarray:
    return np.concatenate([block.samples for block in recording.blocks(start, end)] or [np.zeros(0, np.float32)])


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [("a.wav", "pcm_s16le", 22_050), ("a.flac", "flac", 44_100), ("a.m4a", "aac", 44_100), ("a.m4b", "alac", 24_000),
     ("a.mp3", "mp3", 44_100), ("a.ogg", "libopus", 48_000), ("a.opus", "libopus", 48_000), ("a.aac", "aac", 24_000)],
)  # fmt: skip
def test_every_format_gives_the_same_samples_from_any_place(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    recording = Recording(encode(tmp_path / name, tone(3, rate)[None], rate, codec))

    whole = samples_of(recording)
    part = samples_of(recording, rate, rate + 5000)

    assert len(whole) / rate == pytest.approx(3, abs=0.1)
    assert len(part) == 5000
    assert np.abs(part - whole[rate : rate + 5000]).max() < 0.01
    assert np.array_equal(part, samples_of(recording, rate, rate + 5000))
    assert recording.info.has_exact_seek == (name in ("a.wav", "a.flac", "a.m4a", "a.m4b"))


def test_files_joined_without_encoding_anew_can_be_entered_anywhere(tmp_path: Path) -> None:
    joined = tmp_path / "joined.m4b"  # the last packet of each part is shorter by the table, not when it is decoded
    played_over(FABLES, 150.0, joined)
    recording = Recording(joined)

    whole = samples_of(recording)

    assert recording.info.has_exact_seek
    with av.open(str(joined)) as container:  # as libavformat reads it, packet by packet
        n_decoded = sum(frame.samples for frame in container.decode(container.streams.audio[0]))
    assert len(whole) == n_decoded > 150 * recording.info.sample_rate_hz
    for start in (70_000, len(whole) // 2, len(whole) - 6000):
        assert np.array_equal(samples_of(recording, start, start + 5000), whole[start : start + 5000])


def test_a_folder_is_read_in_natural_order_and_each_file_is_a_chapter(tmp_path: Path) -> None:
    for name in ("Part 10.flac", "Part 2.flac", "part 1.flac"):
        encode(tmp_path / name, tone(2, 24_000)[None], 24_000, "flac")
    (tmp_path / "cover.jpg").write_bytes(b"x")
    (tmp_path / ".hidden.flac").write_bytes(b"x")

    book = open_source_files(tmp_path)

    assert book.names == ("part 1.flac", "Part 2.flac", "Part 10.flac")
    assert [chapter.title for chapter in book.info.chapters] == ["part 1", "Part 2", "Part 10"]
    assert [unit.chapter for unit in select_units(book, params(tmp_path, chapters="2-3"))] == [2, 3]
    assert book.info.duration_s == pytest.approx(6, abs=0.2)
    assert any("cover.jpg" in note for note in book.notes)


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")

    with pytest.raises(UserError) as caught:
        open_source_files(tmp_path)

    assert caught.value.code == "audio_missing"


def test_a_link_in_a_folder_that_leads_out_of_the_roots_is_refused(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside.wav", tmp_path / "book"
    folder.mkdir()
    write_clip(outside, tone(1, 24_000), 24_000)
    (folder / "01.wav").symlink_to(outside)

    with pytest.raises(UserError) as caught:
        open_source_files(folder, roots=[folder])

    assert caught.value.code == "path_outside_roots"
    assert open_source_files(folder, roots=[tmp_path]).names == ("01.wav",)


@pytest.mark.parametrize("name", ["a b.wav", 'it\'s "so".wav', "new\nline.wav", "Hörbuch 🎧.wav", "$HOME;`x`.wav"])
def test_a_recording_may_have_any_name(tmp_path: Path, name: str) -> None:
    write_clip(tmp_path / name, tone(1, 24_000), 24_000)

    book = open_source_files(tmp_path)

    assert book.names == (name,)
    assert len(samples_of(book.recordings[0])) == 24_000


def test_content_decides_what_a_file_is_and_its_name_is_told_to_be_wrong(tmp_path: Path) -> None:
    path = encode(tmp_path / "book.m4b", tone(2, 44_100)[None], 44_100, "mp3", form="mp3")

    book = open_source_files(path)

    assert book.recordings[0].info.container == "mp3"
    assert "mp3 by its content" in book.notes[0]


@pytest.mark.parametrize("entry", [b"drms", b"aavd", b"enca"])
def test_a_protected_recording_is_said_to_be_protected(tmp_path: Path, entry: bytes) -> None:
    content = FABLES.read_bytes()
    at = content.rindex(b"mp4a", 0, content.rindex(b"esds"))
    (tmp_path / "book.m4b").write_bytes(content[:at] + entry + content[at + 4 :])

    with pytest.raises(UserError) as caught:
        open_source_files(tmp_path / "book.m4b")

    assert caught.value.code == "audio_protected"
    assert "encrypted" in caught.value.message


def test_an_audible_file_is_said_to_be_protected_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "book.aax").write_bytes(struct.pack(">I", 24) + b"ftypaax " + bytes(100))

    with pytest.raises(UserError) as caught:
        open_source_files(tmp_path / "book.aax")

    assert caught.value.code == "audio_protected"


def test_an_m4b_without_its_end_is_refused_when_its_index_is_lost(tmp_path: Path) -> None:
    (tmp_path / "book.m4b").write_bytes(FABLES.read_bytes()[:300_000])  # moov is at the end

    with pytest.raises(UserError) as caught:
        open_source_files(tmp_path / "book.m4b")

    assert caught.value.code == "audio_unreadable"
    assert "cut off" in caught.value.hint


def test_an_m4b_cut_off_behind_its_index_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = tmp_path / "whole.m4b"
    with (
        av.open(str(FABLES)) as source,
        av.open(str(whole), "w", format="ipod", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    content = whole.read_bytes()
    (tmp_path / "cut.m4b").write_bytes(content[: len(content) // 2])

    book = open_source_files(tmp_path / "cut.m4b")

    n_samples = len(samples_of(book.recordings[0]))
    assert 20 < n_samples / 24_000 < 45
    assert book.info.duration_s == pytest.approx(n_samples / 24_000, abs=0.05)
    assert "cut off" in book.notes[0]


def test_8_khz_is_warned_of_and_5_1_is_mixed_down(tmp_path: Path) -> None:
    write_clip(tmp_path / "phone.wav", tone(1, 8_000), 8_000)
    encode(tmp_path / "film.flac", np.stack([tone(1, 48_000)] * 6), 48_000, "flac", layout="5.1")

    phone, film = open_source_files(tmp_path / "phone.wav"), open_source_files(tmp_path / "film.flac")

    assert "telephone" in phone.notes[0]
    assert "6 channels" in film.notes[0]
    mixed = samples_of(film.recordings[0])
    assert mixed.shape == (48_000,)
    assert 0.05 < np.abs(mixed).max() < 0.2


def test_a_playlist_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "book.mp3").write_text(f"ffconcat version 1.0\nfile '{FABLES}'\n")
    (tmp_path / "list.mp3").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{FABLES}\n#EXT-X-ENDLIST\n")

    for name in ("book.mp3", "list.mp3"):
        with pytest.raises(UserError) as caught:
            open_source_files(tmp_path / name)
        assert caught.value.code in ("audio_unreadable", "audio_no_stream")


def test_chapters_are_named_by_numbers_and_ranges() -> None:
    assert parse_chapters("2-4, 7", 9) == {2, 3, 4, 7}
    for wrong in ("0", "5-3", "8-10", "one", "1,,2"):
        with pytest.raises(UserError, match="chapter"):
            parse_chapters(wrong, 9)


def test_a_selection_of_nothing_is_refused() -> None:
    book = open_source_files(FABLES)

    with pytest.raises(UserError) as caught:
        select_units(book, params(FABLES, chapters="1", start_s=40.0))

    assert caught.value.code == "selection_empty"
    assert [unit.start for unit in select_units(book, params(FABLES, start_s=40.0, end_s=50.0))] == [40 * 24_000]
