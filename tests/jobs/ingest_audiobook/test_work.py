"""The whole job on the sample audiobook: what it leaves in the folder, what a kill costs, what it refuses."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from jobs.audio.clip_io import read_clip, write_clip
from jobs.audio.recording import Recording
from jobs.dataset.manifest import check_step
from jobs.errors import UserError
from jobs.ingest_audiobook.input.source_files import open_source_files
from jobs.ingest_audiobook.output.ingest_state import compute_fingerprint
from jobs.ingest_audiobook.params import Params, check, transcript_source
from jobs.ingest_audiobook.spec import KIND
from jobs.ingest_audiobook.text.subtitles import read_given_segments
from jobs.ingest_audiobook.work import run
from jobs.runner.worker.context import Cancelled
from jobs.settings import PROJECT_ROOT
from tests.support.declared_outputs import list_undeclared

Rows = Callable[[Path], list[dict[str, Any]]]
Contexts = Callable[[], Any]


def spans_24k(dataset: Path, rows: Rows) -> list[tuple[int, int]]:
    """Sample spans of all clips and rejections, sorted."""
    found = rows(dataset / "train_manifest.jsonl") + rows(dataset / "rejections.jsonl")
    return sorted((round(row["source"]["start_s"] * 24_000), round(row["source"]["end_s"] * 24_000)) for row in found)


def assert_every_sample_is_accounted_for(dataset: Path, rows: Rows, recording_s: float) -> None:
    """Clips and rejections follow each other without gap or overlap from 0 to the recording's end."""
    spans = spans_24k(dataset, rows)
    assert spans[0][0] == 0
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert spans[-1][1] == round(recording_s * 24_000)


def test_the_sample_book_becomes_a_clip_a_sentence(sample_book: dict[str, str], ingested: Any, rows: Rows) -> None:
    result = ingested.result

    clips = rows(ingested.dataset / "train_manifest.jsonl")
    lines = [line for line in Path(sample_book["text"]).read_text().splitlines() if line]
    assert [clip["text"] for clip in clips] == lines
    assert [clip["audio"] for clip in clips] == [f"clips/{number:06d}.wav" for number in range(18)]
    assert {clip["transcript"] for clip in clips} == {"book"}
    assert [clip["split"] for clip in clips] == ["train"] * 8 + ["validation"] * 10
    assert [clip["source"]["chapter"] for clip in clips] == [1] * 8 + [2] * 10
    for clip in clips:
        samples = read_clip(ingested.dataset / clip["audio"], 24_000)
        assert len(samples) == round(clip["duration_s"] * 24_000)
        assert clip["quality"]["snr_db"] > 20
        assert -12 < clip["quality"]["peak_dbfs"] <= 0
        assert clip["ref_audio"] in {other["audio"] for other in clips if other["split"] == "train"}
    assert_every_sample_is_accounted_for(ingested.dataset, rows, result.recording_s)
    assert result.kept_s + result.rejected_s == pytest.approx(result.recording_s, abs=1e-6)
    assert (result.n_words_placed, result.n_words_book) == (174, 174)
    assert (result.title, result.n_chapters, result.n_rejected) == ("Two Fables", 2, 0)
    assert (result.n_silences > 0) == ("silence" in result.rejected_by_reason_s)
    assert check_step(Path(result.manifest), "ingested").speaker == "slt"
    assert ingested.published == {"dataset", "manifest", "rejections", "report", "transcript"}
    assert ingested.fractions[-1] == 1.0


def in_two_files(sample_book: dict[str, Any], folder: Path, first: str, second: str) -> Path:
    """The sample book as a folder with a file for each of its two chapters."""
    whole = read_clip(Path(sample_book["audio"]), 24_000)
    border = round(Recording(Path(sample_book["audio"])).info.chapters[1].start_s * 24_000)
    folder.mkdir()
    soundfile.write(folder / first, whole[:border], 24_000)
    soundfile.write(folder / second, whole[border:], 24_000)
    return folder


def test_a_book_in_several_files_becomes_the_same_clips_of_one_text(
    sample_book: dict[str, Any], tmp_path: Path, make_context: Contexts, rows: Rows
) -> None:
    folder = in_two_files(sample_book, tmp_path / "book", "2 crow.flac", "10 lion.mp3")

    result = run(Params(**sample_book | {"audio": str(folder), "out_dir": str(tmp_path / "slt")}), make_context())

    clips = rows(tmp_path / "slt" / "train_manifest.jsonl")
    lines = [line for line in Path(sample_book["text"]).read_text().splitlines() if line]
    assert [clip["text"] for clip in clips] == lines
    found = [(clip["source"]["recording"], clip["source"]["chapter"]) for clip in clips]
    assert found == [("2 crow.flac", 1)] * 8 + [("10 lion.mp3", 2)] * 10
    assert clips[8]["source"]["start_s"] < 2.0  # each file has a time of its own
    assert result.n_chapters == 2


def test_the_folder_holds_what_report_tools_and_people_read(ingested: Any) -> None:
    state = json.loads((ingested.dataset / ".batch_state.json").read_text())
    report = json.loads((ingested.dataset / "report.json").read_text())
    assert state | {"description": ""} == {
        "name": "tts-dataset", "description": "", "total": 18, "successful": 18, "failed": 0,
    }  # fmt: skip
    assert report["n_words_placed"] == 174
    assert [chapter["n_clips"] for chapter in report["chapters"]] == [8, 10]
    assert "Two Fables" in (ingested.dataset / "report.html").read_text()
    assert (ingested.dataset / "cover.png").read_bytes()[:4] == b"\x89PNG"
    assert list_undeclared(KIND, out_dir=ingested.dataset) == []


KILLED_AT_FIRST_PROGRESS = """
import os, signal, sys
from pathlib import Path
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.work import run

class Context:
    job_id, folder = "killed", Path(sys.argv[1])
    def progress(self, *_, **__): os.kill(os.getpid(), signal.SIGKILL)
    def raise_if_cancelled(self): pass

run(Params.model_validate_json(sys.argv[2]), Context())
"""


def test_after_kill_9_the_finished_chapter_is_not_done_again_and_the_result_is_the_same(
    sample_book: dict[str, str], ingested: Any, tmp_path: Path, make_context: Contexts
) -> None:
    params = Params(**sample_book, out_dir=str(tmp_path / "killed"))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_FIRST_PROGRESS, str(tmp_path), params.model_dump_json()],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed" / "clips").iterdir()}

    run(params, make_context())

    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed" / "clips").iterdir()}
    assert len(before) == 8
    assert before.items() <= after.items()
    for name in ("train_manifest.jsonl", "rejections.jsonl", "report.html"):
        assert (tmp_path / "killed" / name).read_bytes() == (ingested.dataset / name).read_bytes()
    for name in after:
        assert (tmp_path / "killed/clips" / name).read_bytes() == (ingested.dataset / "clips" / name).read_bytes()


def test_a_cancel_stops_between_chapters_and_another_attempt_continues(
    sample_book: dict[str, str], tmp_path: Path, make_context: Contexts
) -> None:
    params = Params(**sample_book, out_dir=str(tmp_path / "slt"))
    cancelled = make_context()
    cancelled.cancel_after_progress = 1

    with pytest.raises(Cancelled):
        run(params, cancelled)
    again = make_context()
    result = run(params, again)

    assert len(cancelled.messages) == 1
    assert [message for message in again.messages if "minutes" in message] == ["18 clips of 1.1 minutes"]
    assert result.n_clips == 18


def test_other_parameters_do_not_overwrite_a_dataset(
    sample_book: dict[str, str], tmp_path: Path, make_context: Contexts
) -> None:
    params = Params(**sample_book, out_dir=str(tmp_path / "slt"), max_duration_s=8)
    run(params, make_context())

    with pytest.raises(UserError) as caught:
        run(params.model_copy(update={"max_clip_s": 8.0}), make_context())

    assert caught.value.code == "dataset_differs"
    assert "max_clip_s" in caught.value.message


def test_a_trial_reads_only_the_beginning(
    sample_book: dict[str, str], tmp_path: Path, make_context: Contexts, rows: Rows
) -> None:
    result = run(Params(**sample_book, out_dir=str(tmp_path / "slt"), max_duration_s=8.0), make_context())

    assert result.recording_s == 8.0
    assert result.n_clips == 2
    assert_every_sample_is_accounted_for(tmp_path / "slt", rows, 8.0)


def test_without_a_transcript_there_are_clips_without_text(
    sample_book: dict[str, str], tmp_path: Path, make_context: Contexts, rows: Rows
) -> None:
    result = run(Params(**sample_book, out_dir=str(tmp_path / "slt"), transcript="none"), make_context())

    clips = rows(tmp_path / "slt" / "train_manifest.jsonl")
    assert len(clips) == 18
    assert {clip["text"] for clip in clips} == {""}
    assert "transcript" not in clips[0]
    assert result.n_words_book is None
    assert_every_sample_is_accounted_for(tmp_path / "slt", rows, result.recording_s)


def test_given_segments_become_clips_and_what_is_wrong_with_them_rejections(
    sample_book: dict[str, str], tmp_path: Path, make_context: Contexts, rows: Rows
) -> None:
    lines = [
        {"start": 0.9, "end": 3.6, "text": "A thirsty crow found a tall pitcher in the garden."},
        {"start": 3.0, "end": 6.9, "text": "Overlaps."},
        {"start": 29.0, "end": 34.1, "text": "Crosses the chapter's border."},
        {"start": 34.9, "end": 37.9, "text": "A young mouse ran across his nose and woke him."},
        {"start": 500, "end": 503, "text": "After the end."},
    ]
    (tmp_path / "segments.jsonl").write_text("\n".join(map(json.dumps, lines)))
    params = Params(
        audio=sample_book["audio"],
        voice="slt",
        out_dir=str(tmp_path / "slt"),
        segments_jsonl=str(tmp_path / "segments.jsonl"),
    )

    result = run(params, make_context())

    clips = rows(tmp_path / "slt" / "train_manifest.jsonl")
    assert [(clip["source"]["start_s"], clip["source"]["end_s"], clip["transcript"]) for clip in clips] == [
        (0.9, 3.6, "subtitle"),
        (34.9, 37.9, "subtitle"),
    ]
    rejected = {row["reason"] for row in rows(tmp_path / "slt" / "rejections.jsonl")}
    assert rejected == {
        "silence", "not_in_segments", "segment_overlaps", "segment_crosses_end", "segment_beyond_end",
    }  # fmt: skip
    assert result.rejected_by_reason_s["segment_beyond_end"] == 0
    assert result.kept_s == pytest.approx(5.7)
    assert_every_sample_is_accounted_for(tmp_path / "slt", rows, result.recording_s)


def test_each_recording_of_a_folder_has_subtitles_of_its_own_name(
    sample_book: dict[str, Any], tmp_path: Path, make_context: Contexts, rows: Rows
) -> None:
    folder = in_two_files(sample_book, tmp_path / "book", "1 crow.wav", "2 lion.wav")
    cue = "1\n00:00:{:06.3f} --> 00:00:{:06.3f}\n{}\n"
    (folder / "1 crow.srt").write_text(cue.format(0.9, 3.6, "A thirsty crow found a tall pitcher.").replace(".", ","))
    late = cue.format(55, 57, "After the end.")
    (folder / "2 lion.vtt").write_text("WEBVTT\n\n" + cue.format(4.5, 7.5, "A young mouse woke him.") + "\n" + late)
    params = Params(**sample_book | {"audio": str(folder), "text": str(folder), "out_dir": str(tmp_path / "slt")})

    check(params)
    run(params, make_context())

    clips = rows(tmp_path / "slt" / "train_manifest.jsonl")
    found = [(clip["source"]["recording"], clip["source"]["start_s"], clip["text"]) for clip in clips]
    assert found == [
        ("1 crow.wav", 0.9, "A thirsty crow found a tall pitcher,"),
        ("2 lion.wav", 4.5, "A young mouse woke him."),
    ]
    rejected = rows(tmp_path / "slt" / "rejections.jsonl")
    (beyond,) = [row for row in rejected if row["reason"] == "segment_beyond_end"]
    assert beyond["source"]["recording"] == "2 lion.wav"

    (folder / "2 lion.vtt").unlink()
    with pytest.raises(UserError, match="2 lion") as caught:
        run(params.model_copy(update={"out_dir": str(tmp_path / "other")}), make_context())
    assert caught.value.code == "segments_missing"


def test_subtitles_behind_a_link_out_of_the_roots_are_refused(tmp_path: Path) -> None:
    outside, audio, texts = tmp_path / "outside", tmp_path / "home" / "book", tmp_path / "home" / "texts"
    for folder in (outside, audio / "part", texts):
        folder.mkdir(parents=True)
    write_clip(audio / "part" / "01.wav", np.zeros(24_000, np.float32), 24_000)
    (outside / "01.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nA secret.\n")
    (texts / "part").symlink_to(outside)
    params = Params(audio=str(audio), voice="slt", text=str(texts))

    with pytest.raises(UserError) as caught:
        read_given_segments(params, open_source_files(audio), [tmp_path / "home"])

    assert caught.value.code == "path_outside_roots"
    assert read_given_segments(params, open_source_files(audio), [tmp_path])[0][0].text == "A secret."


def test_whispers_doubtful_text_is_not_kept(
    sample_book: dict[str, str], tmp_path: Path, make_context: Contexts, rows: Rows, toy_whisper: Path
) -> None:
    params = Params(
        audio=sample_book["audio"],
        voice="slt",
        out_dir=str(tmp_path / "slt"),
        transcript="whisper",
        whisper_model=str(toy_whisper),
        max_duration_s=7.2,
    )

    with pytest.raises(UserError) as caught:
        run(params, make_context())

    reasons = {row["reason"] for row in rows(tmp_path / "slt" / "rejections.jsonl")}
    assert caught.value.code == "nothing_kept"
    assert reasons - {"silence"} <= {"low_confidence", "no_speech", "hallucination_loop", "no_transcript"}
    assert reasons - {"silence"}


def test_whisper_hears_windows_in_batches_of_the_size_asked_for_with_one_outcome(
    sample_book: dict[str, str],
    tmp_path: Path,
    make_context: Contexts,
    toy_whisper: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "jobs.asr.whisper")
    found = []
    for batch_size in (1, 3):
        params = Params(
            audio=sample_book["audio"],
            voice="slt",
            out_dir=str(tmp_path / f"slt{batch_size}"),
            transcript="whisper",
            whisper_model=str(toy_whisper),
            whisper_device="cpu",
            whisper_compute_type="float32",
            whisper_batch_size=batch_size,
            chapters="2",
        )
        with pytest.raises(UserError, match="No clip"):  # random text is never to be trusted
            run(params, make_context())
        found.append((tmp_path / f"slt{batch_size}" / "rejections.jsonl").read_text())

    messages = [message for message in caplog.messages if "in batches of" in message]
    assert len(messages) == 1
    assert "in batches of 3" in messages[0]
    assert found[0] == found[1]


def test_how_whisper_computes_may_change_when_an_ingest_goes_on(sample_book: dict[str, str]) -> None:
    known, smaller, other = (
        compute_fingerprint(Params.model_validate(sample_book | changes), [], [])
        for changes in ({}, {"whisper_batch_size": 1, "whisper_device": "cpu"}, {"whisper_model": "small"})
    )

    assert smaller == known
    assert other != known


def test_silence_is_refused_with_a_report(tmp_path: Path, make_context: Contexts, rows: Rows) -> None:
    write_clip(tmp_path / "silence.wav", np.zeros(5 * 24_000, np.float32), 24_000)
    params = Params(
        audio=str(tmp_path / "silence.wav"), voice="silent", out_dir=str(tmp_path / "out"), transcript="none"
    )

    with pytest.raises(UserError) as caught:
        run(params, make_context())

    assert caught.value.code == "nothing_kept"
    assert [row["reason"] for row in rows(tmp_path / "out" / "rejections.jsonl")] == ["silence"]


def make_bad_audio(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.m4b"
    if kind == "text":
        path.write_text("Call me Ishmael. " * 100)
    elif kind == "zero":
        write_clip(path, np.zeros(0, np.float32), 24_000)
    elif kind == "video":
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("mpeg4", rate=5)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("kind", "code"), [("text", "audio_unreadable"), ("zero", "audio_empty"), ("video", "audio_no_stream")]
)
def test_what_is_no_recording_is_refused_and_leaves_nothing(
    tmp_path: Path, make_context: Contexts, kind: str, code: str
) -> None:
    path = make_bad_audio(tmp_path, kind)

    with pytest.raises(UserError) as caught:
        run(Params(audio=str(path), voice="v", out_dir=str(tmp_path / "out"), transcript="none"), make_context())

    assert caught.value.code == code
    assert not list((tmp_path / "out").glob("clips/*"))


def test_text_that_is_not_utf_8_or_empty_is_refused(
    sample_book: dict[str, str], tmp_path: Path, make_context: Contexts
) -> None:
    codes = []
    for name, content in (("latin", "Voilà".encode("latin-1")), ("empty", b" \n - \n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            run(
                Params(**sample_book | {"text": str(tmp_path / name)}, out_dir=str(tmp_path / f"{name}-out")),
                make_context(),
            )
        codes.append(caught.value.code)

    assert codes == ["text_unreadable", "text_empty"]


def test_an_unknown_validation_chapter_is_refused(
    sample_book: dict[str, str], tmp_path: Path, make_context: Contexts
) -> None:
    with pytest.raises(UserError) as caught:
        run(Params(**sample_book | {"validation_chapters": [3]}, out_dir=str(tmp_path / "slt")), make_context())

    assert caught.value.code == "chapter_unknown"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"audio": "/nowhere/book.m4b"}, "audio_missing"),
        ({"text": "/nowhere/book.txt"}, "text_missing"),
        ({"text": None, "transcript": "book"}, "text_missing"),
        ({"target_clip_s": 12.0}, "clip_bounds"),
    ],
)
def test_contradictions_cost_nothing(sample_book: dict[str, str], change: dict[str, Any], code: str) -> None:
    with pytest.raises(UserError) as caught:
        check(Params(**sample_book | change))

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("change", "source"),
    [
        ({}, "book"),
        ({"language": "german"}, "heard_book"),
        ({"language": "german", "transcript": "book"}, "heard_book"),
        ({"transcript": "whisper"}, "heard_book"),
        ({"transcript": "whisper", "text": None}, "whisper"),
        ({"text": None}, "whisper"),
        ({"transcript": "none"}, "none"),
    ],
)
def test_text_in_ten_languages_is_matched_by_one_path_or_the_other(
    sample_book: dict[str, str], change: dict[str, Any], source: str
) -> None:
    params = Params(**sample_book | change)

    check(params)

    assert transcript_source(params) == source


def test_segments_and_another_transcript_contradict_each_other(sample_book: dict[str, str]) -> None:
    params = Params(**sample_book, segments_jsonl=sample_book["text"], transcript="book")

    with pytest.raises(UserError) as caught:
        check(params)

    assert caught.value.code == "transcript_conflict"
