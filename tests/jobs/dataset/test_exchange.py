"""Out to another tool, opened by that tool's own library, and back in: the same texts and the same samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.dataset.exchange.exporters import give
from jobs.dataset.manifest import Clip, TimedWord, read_rows, write_rows
from jobs.errors import UserError
from jobs.ingest_clips.params import Params as ClipsParams
from jobs.ingest_clips.work import run as ingest_clips

Contexts = Callable[[], Any]


@pytest.fixture
def dataset(tmp_path: Path, fables: list[tuple[str, np.ndarray]]) -> Path:
    """Manifest of four clips, the last held out, the first with a word."""
    folder = tmp_path / "dataset"
    (folder / "clips").mkdir(parents=True)
    rows = []
    for number, (text, samples) in enumerate(fables[:4]):
        write_clip(folder / "clips" / f"{number:06d}.wav", samples, CLIP_RATE_HZ)
        word = TimedWord(word="the", start_s=0.1, end_s=0.3, score=0.9)
        rows.append(
            Clip(audio=f"clips/{number:06d}.wav", text=text, speaker="slt", duration_s=len(samples) / CLIP_RATE_HZ,
                 quality={"snr_db": 40.0}, split="validation" if number == 3 else "train",
                 words=[word] if number == 0 else None)
        )  # fmt: skip
    write_rows(folder / "train_manifest.jsonl", rows)
    return folder / "train_manifest.jsonl"


def by_text(manifest: Path) -> dict[str, tuple[str, bytes]]:
    """Speaker and 16-bit samples of each text."""
    return {row.text: (row.speaker, (manifest.parent / row.audio).read_bytes()) for row in read_rows(manifest, Clip)}


@pytest.mark.parametrize("layout", ["ljspeech", "huggingface", "lhotse"])
def test_a_dataset_comes_back_with_the_same_texts_speakers_and_samples(
    layout: Any, dataset: Path, tmp_path: Path, make_context: Contexts
) -> None:
    out = give(dataset, [layout], make_context())[layout]
    (tmp_path / "moved").mkdir()
    moved = out.rename(tmp_path / "moved" / layout)  # whatever is inside must not name where it was

    back = ingest_clips(
        ClipsParams(transcripts=str(moved), voice="slt", out_dir=str(tmp_path / "back"),
                    quality={"reject": False, "dnsmos": "off"}),
        make_context(),
    )  # fmt: skip

    assert (back.n_clips, back.n_rejected) == (4, 0)
    assert by_text(Path(back.manifest)) == by_text(dataset)


def test_hugging_faces_library_opens_it_by_split(dataset: Path, tmp_path: Path, make_context: Contexts) -> None:
    import datasets

    out = give(dataset, ["huggingface"], make_context())["huggingface"]

    loaded = datasets.load_from_disk(str(out))
    assert {name: len(part) for name, part in loaded.items()} == {"train": 3, "validation": 1}
    assert isinstance(loaded["train"].features["audio"], datasets.Audio)
    assert loaded["train"]["text"][0] == next(read_rows(dataset, Clip)).text
    raw = loaded["train"].cast_column("audio", datasets.Audio(decode=False))[0]["audio"]
    assert raw["bytes"] == (dataset.parent / "clips" / "000000.wav").read_bytes()


def test_lhotse_opens_it_with_words_and_sound(
    dataset: Path, tmp_path: Path, make_context: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lhotse import CutSet

    monkeypatch.chdir(give(dataset, ["lhotse"], make_context())["lhotse"])
    cuts = list(CutSet.from_file("cuts.jsonl.gz"))
    sound = cuts[0].load_audio()[0]
    assert [cut.supervisions[0].speaker for cut in cuts] == ["slt"] * 4
    assert cuts[0].supervisions[0].alignment["word"][0].symbol == "the"
    assert cuts[3].supervisions[0].custom["split"] == "validation"
    assert np.array_equal(sound, read_clip(dataset.parent / "clips" / "000000.wav", CLIP_RATE_HZ))


def test_part_of_a_recording_becomes_a_clip(tmp_path: Path, make_context: Contexts, fables) -> None:
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

    (text, first), (_, second) = fables[:2]
    write_clip(tmp_path / "whole.wav", np.concatenate([first, second]), CLIP_RATE_HZ)
    recording = Recording.from_file(tmp_path / "whole.wav")
    length = len(first) / CLIP_RATE_HZ
    said = SupervisionSegment("s", recording.id, 0.0, length, text=text, speaker="slt")
    cut = MonoCut("one", 0.0, length, 0, supervisions=[said], recording=recording)
    CutSet.from_cuts([cut]).to_file(tmp_path / "cuts.jsonl.gz")

    back = ingest_clips(
        ClipsParams(transcripts=str(tmp_path / "cuts.jsonl.gz"), out_dir=str(tmp_path / "back"),
                    quality={"reject": False, "dnsmos": "off"}),
        make_context(),
    )  # fmt: skip

    (row,) = read_rows(Path(back.manifest), Clip)
    assert (row.text, row.speaker) == (text, "slt")
    assert row.duration_s == pytest.approx(length, abs=1e-3)


def test_what_no_library_can_read_is_refused(tmp_path: Path, make_context: Contexts) -> None:
    (tmp_path / "cuts.jsonl.gz").write_bytes(b"not gzip")

    with pytest.raises(UserError) as caught:
        ingest_clips(
            ClipsParams(transcripts=str(tmp_path / "cuts.jsonl.gz"), out_dir=str(tmp_path / "o")), make_context()
        )

    assert caught.value.code == "dataset_unreadable"


def test_an_export_is_published_and_made_anew(dataset: Path, make_context: Contexts) -> None:
    context = make_context()
    first = give(dataset, ["ljspeech"], context)["ljspeech"]
    (first / "left behind").touch()

    again = give(dataset, ["ljspeech"], context)["ljspeech"]

    assert context.published["export-ljspeech"] == (dataset.parent / "exports" / "ljspeech", "dataset")
    assert sorted(path.name for path in again.iterdir()) == ["metadata.csv", "train.txt", "val.txt", "wavs"]
    assert (again / "val.txt").read_text() == "000003\n"
