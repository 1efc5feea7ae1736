"""Conversion to codes: files written, resuming after a kill, errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jobs.audio.clip_io import read_clip, write_clip
from jobs.convert_codes.params import Params, check
from jobs.convert_codes.spec import KIND
from jobs.convert_codes.work import MOST_REPEATS, run
from jobs.dataset.manifest import Clip, Rejection, check_step, read_rows, write_rows
from jobs.errors import UserError
from jobs.model_folders.contents import ModelFolder
from jobs.qwen.codec import load_codec
from jobs.qwen.codec_identity import identify_tokenizer
from jobs.qwen.toy.checkpoints import TOY_CODEC, make_toy_codec
from jobs.runner.worker.context import Cancelled
from tests.support.declared_outputs import list_undeclared
from tests.support.kills.conversion_kills import killed

MakeDataset = Callable[[int], Path]


def _edit(manifest: Path, **changes_of_first_row: object) -> None:
    rows = list(read_rows(manifest, Clip))
    rows[0] = rows[0].model_copy(update=changes_of_first_row)
    write_rows(manifest, rows)


def test_every_clip_gets_the_codes_that_the_tokenizer_gives_it(make_dataset: MakeDataset, make_context) -> None:
    manifest = make_dataset(3)

    result = run(Params(manifest=str(manifest), tokenizer="toy"), make_context())

    rows = list(read_rows(Path(result.manifest), Clip))
    codec = load_codec(TOY_CODEC, "cpu")
    expected = [codec.encode([read_clip(manifest.parent / row.audio, 24_000)])[0].tolist() for row in rows]
    assert [row.audio for row in rows] == ["clips/000.wav", "clips/001.wav", "clips/002.wav"]
    assert [row.audio_codes for row in rows] == expected
    assert {row.codes_tokenizer for row in rows} == {identify_tokenizer(ModelFolder.at(TOY_CODEC), "toy")}
    assert result.n_frames == sum(map(len, expected))
    assert (result.n_clips, result.n_rejected) == (3, 0)
    assert check_step(Path(result.manifest), "coded").words is not None


def test_the_best_aligned_clip_becomes_the_reference_of_every_row(make_dataset: MakeDataset, make_context) -> None:
    result = run(Params(manifest=str(make_dataset(3)), tokenizer="toy"), make_context())

    assert result.ref_audio == "clips/001.wav"
    assert {row.ref_audio for row in read_rows(Path(result.manifest), Clip)} == {"clips/001.wav"}


def test_every_line_keeps_the_reference_that_it_names_also_one_that_is_no_clip(
    make_dataset: MakeDataset, make_context
) -> None:
    manifest = make_dataset(4)
    apart = manifest.parent / "reference.wav"
    write_clip(apart, read_clip(manifest.parent / "clips" / "000.wav", 24_000), 24_000)
    rows = list(read_rows(manifest, Clip))
    named = ["reference.wav", "clips/003.wav", None, "clips/gone.wav"]
    write_rows(manifest, [row.model_copy(update={"ref_audio": name}) for row, name in zip(rows, named, strict=True)])

    result = run(Params(manifest=str(manifest), tokenizer="toy"), make_context())

    kept = [row.ref_audio for row in read_rows(Path(result.manifest), Clip)]
    assert kept == ["reference.wav", "clips/003.wav", "reference.wav", "reference.wav"]
    assert result.ref_audio_lines == {"kept": 2, "speaker": 1, "unusable": 1}


def test_the_reference_of_the_call_replaces_the_manifests_and_says_so(make_dataset: MakeDataset, make_context) -> None:
    manifest = make_dataset(3)
    _edit(manifest, ref_audio="clips/002.wav")
    given = str(manifest.parent / "clips" / "001.wav")

    result = run(Params(manifest=str(manifest), tokenizer="toy", ref_audio=given), make_context())

    assert {row.ref_audio for row in read_rows(Path(result.manifest), Clip)} == {"clips/001.wav"}
    assert result.ref_audio_lines == {"given": 2, "replaced": 1}


def test_a_reference_that_cannot_be_read_gives_way_to_the_best_clip(make_dataset: MakeDataset, make_context) -> None:
    manifest = make_dataset(3)
    _edit(manifest, ref_audio="clips/gone.wav")

    result = run(Params(manifest=str(manifest), tokenizer="toy"), make_context())

    assert (result.ref_audio, result.ref_audio_lines) == ("clips/001.wav", {"chosen": 2, "unusable": 1})


def test_a_reference_from_elsewhere_is_copied_into_the_dataset(
    make_dataset: MakeDataset, make_context, tmp_path: Path
) -> None:
    manifest = make_dataset(2)
    outside = tmp_path / "mine.wav"
    write_clip(outside, read_clip(manifest.parent / "clips" / "000.wav", 24_000), 24_000)

    before = {path.name for path in manifest.parent.iterdir()}

    result = run(Params(manifest=str(manifest), tokenizer="toy", ref_audio=str(outside)), make_context())

    assert list_undeclared(KIND, before, out=Path(result.manifest)) == []
    assert result.ref_audio == "reference/mine.wav"
    assert (manifest.parent / "reference" / "mine.wav").read_bytes() == outside.read_bytes()


def test_a_second_attempt_encodes_nothing_again(make_dataset: MakeDataset, make_context) -> None:
    params = Params(manifest=str(make_dataset(3)), tokenizer="toy")
    run(params, make_context())
    first = Path(params.manifest).with_name("train_manifest_qwen3.jsonl").read_bytes()
    context = make_context()

    result = run(params, context)

    assert context.messages == ["3 clips, 0 to encode"]
    assert Path(result.manifest).read_bytes() == first


def test_another_job_encodes_only_what_has_changed(make_dataset: MakeDataset, make_context, tmp_path: Path) -> None:
    params = Params(manifest=str(make_dataset(3)), tokenizer="toy")
    run(params, make_context())
    first = list(read_rows(Path(params.manifest).with_name("train_manifest_qwen3.jsonl"), Clip))
    clip = Path(params.manifest).parent / "clips" / "001.wav"
    write_clip(clip, read_clip(clip, 24_000)[: 24_000 * 2], 24_000)
    context = make_context()
    context.folder = tmp_path / "another job"
    context.folder.mkdir()

    result = run(params, context)

    again = list(read_rows(Path(result.manifest), Clip))
    assert context.messages[0] == "3 clips, 1 to encode"
    assert [row.audio_codes for row in again[::2]] == [row.audio_codes for row in first[::2]]
    assert len(again[1].audio_codes or []) == 25


def test_a_cancelled_attempt_keeps_its_codes_and_a_torn_line_is_dropped(
    make_dataset: MakeDataset, make_context
) -> None:
    params = Params(manifest=str(make_dataset(3)), tokenizer="toy")
    stopped, second = make_context(), make_context()
    stopped.cancel_after_progress = 2  # the survey's report, then the first batch's
    with pytest.raises(Cancelled):
        run(params, stopped)
    journal = next(stopped.folder.glob("codes-*.jsonl"))
    with journal.open("ab") as stream:
        stream.write(b'{"clip":"half of a li')

    result = run(params, second)

    assert second.messages[0] == "3 clips, 2 to encode"
    assert [len(row.audio_codes or []) for row in read_rows(Path(result.manifest), Clip)] == [39, 39, 39]
    assert all("value" in json.loads(line) for line in journal.read_text().splitlines())


def test_codes_of_other_weights_are_not_reused(make_dataset: MakeDataset, make_context, tmp_path: Path) -> None:
    manifest = make_dataset(1)
    run(Params(manifest=str(manifest), tokenizer="toy"), make_context())
    context = make_context()
    other = make_toy_codec(tmp_path / "other")

    result = run(Params(manifest=str(manifest), tokenizer=str(other)), context)

    assert context.messages[0] == "1 clips, 1 to encode"
    row = next(read_rows(Path(result.manifest), Clip))
    assert np.max(row.audio_codes or []) > 255


def test_a_clip_at_another_rate_is_resampled(make_dataset: MakeDataset, make_context) -> None:
    manifest = make_dataset(2)
    clip = manifest.parent / "clips" / "000.wav"
    write_clip(clip, read_clip(clip, 22_050), 22_050)

    result = run(Params(manifest=str(manifest), tokenizer="toy"), make_context())

    first = next(read_rows(Path(result.manifest), Clip))
    assert len(first.audio_codes or []) == 39
    assert first.duration_s == pytest.approx(3.05, abs=0.01)


def test_unusable_clips_are_rejected_with_their_reasons(make_dataset: MakeDataset, make_context) -> None:
    manifest = make_dataset(5)
    (manifest.parent / "clips" / "001.wav").write_text("not audio")
    (manifest.parent / "clips" / "002.wav").unlink()
    whole = (manifest.parent / "clips" / "003.wav").read_bytes()
    (manifest.parent / "clips" / "003.wav").write_bytes(whole[:44])
    _edit(manifest, text=" ... ")

    result = run(Params(manifest=str(manifest), tokenizer="toy"), make_context())

    rejections = list(read_rows(manifest.with_name("convert_rejections.jsonl"), Rejection))
    assert [(each.source.recording, each.reason) for each in rejections] == [
        ("clips/000.wav", "no_text"),
        ("clips/001.wav", "audio_unreadable"),
        ("clips/002.wav", "audio_missing"),
        ("clips/003.wav", "audio_empty"),
    ]
    assert (result.n_clips, result.n_rejected) == (1, 4)
    assert result.ref_audio == "clips/004.wav"


def test_a_dataset_without_a_usable_clip_is_an_error(make_dataset: MakeDataset, make_context) -> None:
    manifest = make_dataset(1)
    (manifest.parent / "clips" / "000.wav").unlink()

    with pytest.raises(UserError, match="audio_missing") as caught:
        run(Params(manifest=str(manifest), tokenizer="toy"), make_context())

    assert caught.value.code == "no_clips"


def test_a_sound_on_very_many_lines_is_refused(make_dataset: MakeDataset, make_context) -> None:
    manifest = make_dataset(1)
    line = manifest.read_text()
    manifest.write_text(line * (MOST_REPEATS + 1))

    with pytest.raises(UserError, match="21 lines") as caught:
        run(Params(manifest=str(manifest), tokenizer="toy"), make_context())
    manifest.write_text(line * 2)

    assert caught.value.code == "clip_repeated"
    assert run(Params(manifest=str(manifest), tokenizer="toy"), make_context()).n_clips == 2


def test_a_clip_outside_the_dataset_is_refused(make_dataset: MakeDataset, make_context) -> None:
    manifest = make_dataset(1)
    _edit(manifest, audio="/etc/secret.wav")

    with pytest.raises(UserError) as caught:
        run(Params(manifest=str(manifest), tokenizer="toy"), make_context())

    assert caught.value.code == "path_outside_dataset"


def test_clips_elsewhere_and_links_are_converted_and_an_output_anywhere_names_them(
    make_dataset: MakeDataset, make_context, tmp_path: Path
) -> None:
    manifest = make_dataset(3)
    clips, other = manifest.parent / "clips", tmp_path / "other"
    other.mkdir()
    shutil.move(clips / "001.wav", other / "1.wav")
    shutil.move(clips / "002.wav", other / "2.wav")
    (clips / "002.wav").symlink_to(other / "2.wav")
    rows = list(read_rows(manifest, Clip))
    rows[1] = rows[1].model_copy(update={"audio": "../other/1.wav"})
    write_rows(manifest, rows)

    beside = run(Params(manifest=str(manifest), tokenizer="toy"), make_context())
    out = str(tmp_path / "elsewhere" / "codes.jsonl")
    apart = run(Params(manifest=str(manifest), out=out, tokenizer="toy"), make_context())
    again = run(Params(manifest=apart.manifest, out=str(tmp_path / "third.jsonl"), tokenizer="toy"), make_context())

    def names(written: str) -> list[str]:
        return [row.audio for row in read_rows(Path(written), Clip)]

    assert names(beside.manifest) == ["clips/000.wav", str(other / "1.wav"), "clips/002.wav"]
    assert names(apart.manifest) == [str(clips / "000.wav"), str(other / "1.wav"), str(other / "2.wav")]
    assert names(again.manifest) == ["dataset/clips/000.wav", "other/1.wav", "other/2.wav"]
    assert (beside.n_frames, apart.n_frames, again.n_frames) == (117, 117, 117)


def test_an_output_above_the_clips_names_them_from_there(make_dataset: MakeDataset, make_context) -> None:
    manifest = make_dataset(1)
    out = manifest.parent.parent / "codes.jsonl"
    params = Params(manifest=str(manifest), out=str(out), tokenizer="toy")
    check(params)

    run(params, make_context())

    row = next(read_rows(out, Clip))
    assert (row.audio, row.ref_audio) == ("dataset/clips/000.wav", "dataset/clips/000.wav")


def test_progress_ends_at_the_whole_and_both_files_are_published(make_dataset: MakeDataset, make_context) -> None:
    context = make_context()

    run(Params(manifest=str(make_dataset(2)), tokenizer="toy"), context)

    assert context.fractions == sorted(context.fractions)
    assert context.fractions[-1] == pytest.approx(1.0)
    assert {name: kind for name, (_, kind) in context.published.items()} == {
        "manifest": "manifest",
        "rejections": "report",
    }


def test_a_conversion_killed_twice_writes_the_very_bytes_of_one_that_was_not(tmp_path: Path) -> None:
    figures = killed("toy", n_clips=12, n_kills=2, seed=3, folder=tmp_path)

    assert figures["killed"] == 2
    assert figures["different"] == 0
    assert figures["bytes"] > 10_000
