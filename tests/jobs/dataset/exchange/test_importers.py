"""Honest datasets of other tools: every field that is known is read; and any content is read or refused."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.dataset.exchange.foreign_clips import ForeignClip
from jobs.dataset.exchange.importers import take
from jobs.dataset.manifest import RejectionError
from jobs.dataset.quality.thresholds import Layout
from jobs.errors import UserError
from tests.support.hostile.datasets.arrow_tables import AUDIO, write_arrow, write_huggingface
from tests.support.hostile.datasets.lhotse_cuts import cut, write_cuts
from tests.support.hostile.datasets.ljspeech_folders import ljspeech
from tests.support.hostile.datasets.sound_files import RATE_HZ, write_wav

CODES = {"dataset_unreadable", "path_outside_dataset", "file_not_regular", "line_too_long"}
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
VALUE = PLAIN | st.lists(PLAIN, max_size=3)


def lhotse(folder: Path, **options: Any) -> list[ForeignClip]:
    return list(take("lhotse", folder, folder.parent / "scratch", **options))


def samples_of(clip: ForeignClip) -> np.ndarray:
    assert isinstance(clip.sound, Path), clip.sound
    samples, rate_hz = soundfile.read(clip.sound, dtype="int16")
    assert rate_hz == RATE_HZ
    found: np.ndarray = samples
    return found


def ramp(n: int, start: int = 0) -> np.ndarray:
    return np.arange(start, start + n, dtype=np.int16)


def test_a_cut_is_its_part_of_its_channel(tmp_path: Path) -> None:
    dataset = write_cuts(
        tmp_path,
        cut("two.wav", start=0.5, duration=0.25, channel=1, recording=recording("two.wav", [0, 1])),
        cut("two.wav", channel=[0, 1], duration=1.0, type="MultiCut", recording=recording("two.wav", [0, 1])),
    )
    left, right = ramp(RATE_HZ), ramp(RATE_HZ, 2_000)
    write_wav(dataset / "two.wav", np.stack([left, right], axis=1).tobytes(), n_channels=2)

    one, both = lhotse(dataset)

    assert np.array_equal(samples_of(one), right[RATE_HZ // 2 : RATE_HZ * 3 // 4])
    assert np.array_equal(samples_of(both), ramp(RATE_HZ, 1_000))
    assert (one.text, one.speaker, one.language, one.number) == ("Some words.", "anna", "english", 1)


def as_snapshot(dataset: Path, folder: Path) -> Path:
    """Lay a dataset out as a Hugging Face cache does: names are links to blobs without a suffix."""
    repository = folder / "datasets--org--name"
    snapshot = repository / "snapshots" / "0123"
    (repository / "blobs").mkdir(parents=True)
    for number, path in enumerate(path for path in sorted(dataset.rglob("*")) if path.is_file()):
        link = snapshot / path.relative_to(dataset)
        link.parent.mkdir(parents=True, exist_ok=True)
        path.rename(repository / "blobs" / str(number))
        link.symlink_to(repository / "blobs" / str(number))
    return snapshot


def test_datasets_in_a_cache_are_read(tmp_path: Path) -> None:
    plain = write_cuts(tmp_path / "1", cut("a.wav"))
    packed = write_cuts(tmp_path / "2", cut("a.wav"))
    (packed / "cuts.jsonl.gz").write_bytes(gzip.compress((packed / "cuts.jsonl").read_bytes()))
    (packed / "cuts.jsonl").unlink()
    folders = [ljspeech("a|Some words.|Some words.")(tmp_path / "3"), plain, packed]
    layouts: list[Layout] = ["ljspeech", "lhotse", "lhotse"]

    for layout, dataset in zip(layouts, folders, strict=True):
        snapshot = as_snapshot(dataset, dataset.parent)
        (clip,) = take(layout, snapshot, tmp_path / dataset.parent.name / "scratch")
        assert (clip.text, len(samples_of(clip))) == ("Some words.", 2 * RATE_HZ)
        assert clip.audio_file in ("a.wav", "000001-one.wav")


def test_channels_in_files_of_their_own_are_joined(tmp_path: Path) -> None:
    sources = [{"type": "file", "channels": [number], "source": f"{number}.wav"} for number in (0, 1)]
    dataset = write_cuts(
        tmp_path,
        cut("", channel=[0, 1], duration=1.0, recording={"id": "r", "sources": sources, "channel_ids": [0, 1]}),
    )
    for number in (0, 1):
        write_wav(dataset / f"{number}.wav", ramp(RATE_HZ, 2_000 * number).tobytes())

    (both,) = lhotse(dataset)

    assert np.array_equal(samples_of(both), ramp(RATE_HZ, 1_000))


def recording(name: str, channels: list[int]) -> dict[str, Any]:
    source = {"type": "file", "channels": channels, "source": name}
    return {"id": "r", "sources": [source], "sampling_rate": RATE_HZ, "num_samples": RATE_HZ, "duration": 1.0}


def test_a_sound_that_ends_before_its_cut_is_a_reason(tmp_path: Path) -> None:
    (clip,) = lhotse(write_cuts(tmp_path, cut("a.wav", duration=2.5)))

    assert isinstance(clip.sound, RejectionError)
    assert (clip.sound.reason, "ends 0.50 s before the cut does" in clip.sound.detail) == ("unreadable", True)


def test_gzip_and_resampled_cuts_are_read(tmp_path: Path) -> None:
    resampled = cut("a.wav")
    resampled["recording"]["transforms"] = [{"name": "Resample", "kwargs": {}}]
    dataset = write_cuts(tmp_path, resampled)
    (dataset / "cuts.jsonl.gz").write_bytes(gzip.compress((dataset / "cuts.jsonl").read_bytes()))
    (dataset / "cuts.jsonl").unlink()

    (clip,) = lhotse(dataset)

    assert len(samples_of(clip)) == 2 * RATE_HZ


def test_audio_elsewhere_is_read_from_the_folder_that_the_call_names(tmp_path: Path) -> None:
    far = write_wav(tmp_path / "far" / "b.wav")
    dataset = write_cuts(tmp_path, cut(str(far)), cut("b.wav"), cut("a.wav"))

    assert [isinstance(clip.sound, Path) for clip in lhotse(dataset)] == [False, False, True]
    assert [isinstance(clip.sound, Path) for clip in lhotse(dataset, audio_dir=far.parent)] == [True, True, True]


@pytest.mark.parametrize("layout", ["ljspeech", "huggingface", "lhotse"])
def test_a_dataset_whose_folder_is_a_link_is_read(layout: Any, tmp_path: Path) -> None:
    sound = {"audio": pa.array([{"bytes": None, "path": "a.wav"}], AUDIO), "text": pa.array(["Some words."])}
    dataset = {
        "ljspeech": lambda: ljspeech("a|Some words.|")(tmp_path),
        "huggingface": lambda: write_huggingface(tmp_path, sound),
        "lhotse": lambda: write_cuts(tmp_path, cut("a.wav")),
    }[layout]()
    (tmp_path / "link").symlink_to(dataset)

    (clip,) = take(layout, tmp_path / "link", tmp_path / "scratch")

    assert isinstance(clip.sound, Path)
    assert (clip.text, clip.sound.is_file()) == ("Some words.", True)


def test_columns_of_a_saved_table_are_read_by_their_usual_names(tmp_path: Path) -> None:
    columns = {
        "audio": pa.array([{"bytes": b"RIFF", "path": "in/a b.flac"}, {"bytes": None, "path": "a.wav"}], AUDIO),
        "text": pa.array([None, "Two."]),
        "sentence": pa.array(["One.", "Never."]),
        "speaker_id": pa.array(["anna", None]),
        "language": pa.array(["german", ""]),
        "score": pa.array([1.0, 2.0]),
    }
    dataset = write_huggingface(tmp_path, columns)
    write_arrow(dataset / "test" / "data.arrow", columns)
    (dataset / "test" / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    (dataset / "dataset_dict.json").write_text('{"splits": ["test"]}')

    one, two = take("huggingface", dataset, tmp_path / "scratch")

    assert (one.audio_file, one.text, one.speaker, one.language) == ("000001-a_b.flac", "One.", "anna", "german")
    assert isinstance(one.sound, Path)
    assert one.sound.read_bytes() == b"RIFF"
    assert (two.audio_file, two.text, two.speaker, two.language) == ("a.wav", "Two.", None, None)


def test_ljspeech_takes_the_normalised_text_where_the_written_is_empty(tmp_path: Path) -> None:
    dataset = ljspeech("\ufeffa||Mister.", "", 'a.wav|"Quoted.|x', "missing|None.|")(tmp_path)

    found = list(take("ljspeech", dataset / "metadata.csv", tmp_path))

    assert [(clip.number, clip.text) for clip in found] == [(1, "Mister."), (3, '"Quoted.'), (4, "None.")]
    assert [isinstance(clip.sound, Path) for clip in found] == [True, True, False]


@settings(max_examples=50, deadline=None)
@given(
    fields=st.dictionaries(
        st.sampled_from(["id", "type", "start", "duration", "channel", "supervisions", "recording", "custom"]), VALUE
    ),
    source=st.dictionaries(st.sampled_from(["type", "channels", "source"]), VALUE),
    raw=st.binary(max_size=40),
)
def test_any_cut_is_taken_rejected_or_refused(
    fields: dict[str, Any], source: dict[str, Any], raw: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    one = cut("a.wav", **fields)
    if isinstance(one["recording"], dict):
        one["recording"]["sources"][0].update(source)
    folder = tmp_path_factory.mktemp("m")
    dataset = write_cuts(folder, one)
    with (dataset / "cuts.jsonl").open("ab") as stream:
        stream.write(raw)

    assert_taken_or_refused("lhotse", dataset)


@settings(max_examples=50, deadline=None)
@given(place=st.floats(0, 1), content=st.binary(min_size=1, max_size=8))
def test_any_damaged_table_is_taken_rejected_or_refused(
    place: float, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    columns = {
        "audio": pa.array([{"bytes": b"RIFF", "path": "a.wav"}, None], AUDIO),
        "text": pa.array(["One.", None]),
        "path": pa.array(["a.wav", None]),
    }
    dataset = write_huggingface(tmp_path_factory.mktemp("m"), columns)
    table = dataset / "data-00000.arrow"
    whole = table.read_bytes()
    start = int(place * len(whole))
    table.write_bytes(whole[:start] + content + whole[start + len(content) :])

    assert_taken_or_refused("huggingface", dataset)


@settings(max_examples=50, deadline=None)
@given(line=st.text(max_size=60))
def test_any_line_of_ljspeech_is_taken_rejected_or_refused(line: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    dataset = ljspeech("a|One.|")(tmp_path_factory.mktemp("m"))
    (dataset / "metadata.csv").write_bytes(line.encode("utf-8", "surrogatepass"))

    assert_taken_or_refused("ljspeech", dataset)


def assert_taken_or_refused(layout: Any, dataset: Path) -> None:
    code = ""
    try:
        for clip in take(layout, dataset, dataset.parent / "scratch"):
            assert isinstance(clip.sound, RejectionError) or clip.sound.is_relative_to(dataset.parent.resolve())
    except UserError as error:
        code = error.code
    assert code in CODES | {""}


@pytest.mark.parametrize("layout", ["ljspeech", "lhotse"])
def test_four_times_the_clips_take_about_four_times_the_time(layout: Any, tmp_path: Path) -> None:
    def cost_s(n_clips: int) -> float:
        folder = tmp_path / f"{n_clips}"
        folder.mkdir(exist_ok=True)
        if layout == "ljspeech":
            dataset = ljspeech(*["a|One.|"] * n_clips)(folder)
        else:
            dataset = write_cuts(folder, *[cut("/outside.wav")] * n_clips)
        start = time.process_time()
        assert sum(1 for _ in take(layout, dataset, tmp_path / "scratch")) == n_clips
        return time.process_time() - start

    small, large = min(cost_s(500) for _ in range(3)), min(cost_s(2_000) for _ in range(3))

    assert large < 10 * small
