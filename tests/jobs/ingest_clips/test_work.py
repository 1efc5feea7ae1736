"""Curated clips become a dataset: 24 kHz mono, in order, and every line that gave none says why."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import jobs.ingest_clips.clip_converter
from jobs.dataset.manifest import Clip, Rejection, read_rows
from jobs.errors import UserError
from jobs.ingest_clips.params import Params
from jobs.ingest_clips.spec import KIND
from jobs.ingest_clips.work import JOURNAL_NAME, run
from jobs.runner.worker.context import Cancelled
from jobs.settings import PROJECT_ROOT
from tests.support.declared_outputs import list_undeclared

PRINTING = PROJECT_ROOT.parent / "shared" / "data" / "printing"


def tone(seconds: float, rate_hz: int, peak: float = 0.5, pitch_hz: float = 220.0) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * pitch_hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.float32)


class Source:
    """A folder of clips and the transcripts file that names them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.audio = folder / "audio"
        self.audio.mkdir(parents=True)
        self.lines: list[dict[str, str]] = []

    def add(self, name: str, samples: np.ndarray | None = None, rate_hz: int = 16_000, text="Words.", **more) -> None:
        if samples is not None:
            (self.audio / name).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(self.audio / name, samples, rate_hz)
        self.lines.append({"audio_file": name, "text": text, **more})

    def params(self, **fields) -> Params:
        transcripts = self.folder / "transcripts.jsonl"
        transcripts.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")
        named: dict[str, object] = {
            "audio_dir": str(self.audio),
            "transcripts": str(transcripts),
            "out_dir": str(self.folder / "out"),
        }
        named["quality"] = {"reject": False, "dnsmos": "off"}  # tones are no speech
        return Params(**{**named, **fields})

    @property
    def rows(self) -> list[Clip]:
        return list(read_rows(self.folder / "out" / "train_manifest.jsonl", Clip))

    @property
    def rejections(self) -> list[Rejection]:
        return list(read_rows(self.folder / "out" / "rejections.jsonl", Rejection))


@pytest.fixture
def source(tmp_path) -> Source:
    return Source(tmp_path / "curated")


def test_any_rate_and_channels_become_24_khz_mono_of_the_same_length(source, make_context):
    source.add("a.flac", tone(1.0, 22_050), 22_050)
    source.add("b.wav", np.stack([tone(1.5, 48_000)] * 2, axis=1), 48_000)
    source.add("c.ogg", tone(2.0, 16_000), 16_000)

    result = run(source.params(voice="anna"), make_context())

    assert result.n_clips == 3
    for row, seconds in zip(source.rows, (1.0, 1.5, 2.0), strict=True):
        about = soundfile.info(source.folder / "out" / row.audio)
        assert (about.samplerate, about.channels, about.subtype) == (24_000, 1, "PCM_16")
        assert about.duration == pytest.approx(seconds, abs=0.002)
        assert row.duration_s == pytest.approx(about.duration, abs=1e-4)
        assert row.quality["peak_dbfs"] == pytest.approx(-6.0, abs=0.4)
        assert (row.speaker, row.language, row.transcript) == ("anna", "english", "curated")


def test_the_dataset_is_whole_and_published(source, make_context):
    source.add("a.wav", tone(1.0, 16_000))
    source.add("gone.wav")
    context = make_context()

    result = run(source.params(), context)

    out = source.folder / "out"
    assert {path.name for path in out.iterdir()} == {
        "clips",
        "train_manifest.jsonl",
        "rejections.jsonl",
        ".batch_state.json",
        ".quality.jsonl",
        "report.html",
        "report.json",
        "report",
    }
    assert list_undeclared(KIND, out_dir=out) == []
    assert context.published["manifest"] == (out / "train_manifest.jsonl", "manifest")
    assert result.manifest == str(out / "train_manifest.jsonl")
    assert json.loads((out / ".batch_state.json").read_text()) == {
        "name": "tts-dataset",
        "description": "Curated clips for the voice speaker; reasons of rejections: rejections.jsonl",
        "total": 2,
        "successful": 1,
        "failed": 1,
    }
    assert context.fractions[-1] == 1.0


def test_the_default_place_is_the_voices_dataset_in_the_home_folder(source, make_context):
    source.add("a.wav", tone(1.0, 16_000))
    context = make_context()

    result = run(source.params(voice="anna", out_dir=""), context)

    assert result.dataset == str(context.settings.home / "datasets" / "anna")


def test_every_unusable_line_is_rejected_with_its_number_and_reason(source, make_context):
    good = tone(1.0, 16_000)
    source.add("good.wav", good)
    source.add("gone.wav")
    source.add("../outside.wav")
    source.add("./good.wav", text="Other words.")
    source.add("copy.wav", good, text="Words.")
    source.add("copy-2.wav", good, text="Other words.")
    source.add("text.wav")
    (source.audio / "text.wav").write_text("This is no audio.")
    source.add("short.wav", tone(0.3, 16_000))
    source.add("long.wav", tone(3.0, 16_000))
    source.add("empty.wav", np.zeros(0, np.float32))
    source.add("silent.wav", np.zeros(16_000, np.float32))
    source.add("marks.wav", tone(1.1, 16_000), text="… —")
    source.add("who.wav", tone(1.2, 16_000), speaker="7 of 9")
    source.add("tongue.wav", tone(1.3, 16_000), language="klingon")
    source.add("zero.wav")
    (source.audio / "zero.wav").touch()
    source.add("folder")
    (source.audio / "folder").mkdir()

    result = run(source.params(max_clip_s=2.5), make_context())

    found = [(rejection.detail.split(":")[0], rejection.reason) for rejection in source.rejections]
    assert found == [
        ("line 2", "audio_missing"),
        ("line 3", "path_outside"),
        ("line 4", "duplicate_file"),
        ("line 5", "duplicate_audio"),
        ("line 6", "duplicate_audio"),
        ("line 7", "unreadable"),
        ("line 8", "too_short"),
        ("line 9", "too_long"),
        ("line 10", "empty"),
        ("line 11", "silent"),
        ("line 12", "no_text"),
        ("line 13", "speaker_unusable"),
        ("line 14", "language_unknown"),
        ("line 15", "empty"),
        ("line 16", "unreadable"),
    ]
    assert [row.audio for row in source.rows] == ["clips/good.wav"]
    assert [path.name for path in (source.folder / "out" / "clips").iterdir()] == ["good.wav"]
    assert (result.n_clips, result.n_rejected) == (1, 15)
    assert sum(result.rejected_by_reason.values()) == 15


def test_line_numbers_count_empty_lines_and_odd_names_are_no_crash(source, make_context):
    source.add("a.wav", tone(1.0, 16_000))
    source.add("a\0b.wav")
    source.add("n" * 5_000 + ".wav")
    params = source.params()
    transcripts = Path(params.transcripts)
    transcripts.write_text("\n\n" + transcripts.read_text())

    run(params, make_context())

    found = [(rejection.detail.split(":")[0], rejection.reason) for rejection in source.rejections]
    assert found == [("line 4", "unreadable"), ("line 5", "unreadable")]


def test_a_rejection_tells_the_audios_length_text_and_twin(source, make_context):
    source.add("a.wav", tone(1.0, 16_000), text="One.")
    source.add("b.wav", tone(1.0, 16_000), text="Two.")
    source.add("c.wav", tone(4.0, 16_000), text="Three.")

    run(source.params(max_clip_s=3.0), make_context())

    twin, long = source.rejections
    assert "line 1 has the same audio with another text" in twin.detail
    assert (long.source.recording, long.source.end_s, long.text) == ("c.wav", 4.0, "Three.")


def test_clipping_is_measured_and_kept(source, make_context):
    source.add("clean.wav", tone(1.0, 24_000, peak=0.9), 24_000)
    source.add("clipped.wav", np.clip(tone(1.0, 24_000, peak=2.0), -1, 1), 24_000)

    run(source.params(), make_context())

    clean, clipped = source.rows
    assert clean.quality["clipped"] == 0.0
    assert clipped.quality["clipped"] == pytest.approx(2 / 3, abs=0.01)  # a sine is over half its peak for 2/3
    assert clipped.quality["peak_dbfs"] == pytest.approx(0.0, abs=0.01)


def test_speakers_languages_and_texts_are_brought_into_form(source, make_context):
    source.add("a.wav", tone(1.0, 16_000), text="  Two\n lines. ", speaker="Anna", language="de", instruct="Calmly.")

    run(source.params(), make_context())

    (row,) = source.rows
    assert (row.text, row.speaker, row.language, row.instruct) == ("Two lines.", "anna", "german", "Calmly.")


def test_a_language_that_no_line_names_is_said(source, make_context):
    source.add("a.wav", tone(1.0, 16_000), text="Eins.")
    source.add("b.wav", tone(1.1, 16_000), text="Zwei.", language="de")

    assumed = run(source.params(), make_context())
    asked = run(source.params(language="auto", out_dir=str(source.folder / "asked")), make_context())

    assert [row.language for row in source.rows] == ["english", "german"]
    assert "1 of 2 lines name no language and are written as english" in assumed.summary
    rows = read_rows(source.folder / "asked" / "train_manifest.jsonl", Clip)
    assert [row.language for row in rows] == ["auto", "german"]
    assert "written as auto" in asked.summary


def test_the_reference_that_a_line_names_is_kept_as_upstreams_format_means_it(source, make_context):
    soundfile.write(source.folder / "ref.wav", tone(4.0, 24_000), 24_000)
    source.add("a.wav", tone(1.0, 16_000), text="One.", ref_audio="ref.wav")
    source.add("b.wav", tone(1.1, 16_000), text="Two.", ref_audio="none.wav")
    source.add("c.wav", tone(1.2, 16_000), text="Three.", ref_audio="../../../../etc/passwd")
    source.add("d.wav", tone(1.3, 16_000), text="Four.")

    result = run(source.params(), make_context())

    own, missing, outside, none = [row.ref_audio for row in source.rows]
    assert own == str((source.folder / "ref.wav").resolve())
    assert missing == outside == none
    assert str(none).startswith("clips/")
    assert "1 of 4 clips keep the reference clip that their lines name" in result.summary
    assert "The reference clips that 2 lines name are not used" in result.summary


def test_names_are_plain_and_each_is_used_once(source, make_context):
    source.add("a b/é.wav", tone(1.0, 16_000))
    source.add("a b/é.flac", tone(1.1, 16_000))
    source.add("a_b/E.wav", tone(1.2, 16_000))

    run(source.params(), make_context())

    assert [row.audio for row in source.rows] == ["clips/a_b_e.wav", "clips/a_b_e-2.wav", "clips/a_b_E-3.wav"]


def test_a_stopped_run_continues_and_ends_as_an_unbroken_one(source, make_context, monkeypatch):
    for number in range(30):
        source.add(f"{number:02}.wav", tone(0.6, 16_000, pitch_hz=200 + number), text=f"Number {number}.")
    done: list[str] = []
    convert_clip = jobs.ingest_clips.clip_converter.convert_clip
    monkeypatch.setattr(
        jobs.ingest_clips.clip_converter,
        "convert_clip",
        lambda path, *rest: (done.append(path.name), convert_clip(path, *rest))[1],
    )
    unbroken = source.params(out_dir=str(source.folder / "unbroken"))
    run(unbroken, make_context())
    done.clear()
    broken = make_context()
    broken.cancel_after_progress = 11

    with pytest.raises(Cancelled):
        run(source.params(), broken)
    journal = source.folder / "out" / JOURNAL_NAME
    n_journalled = len(journal.read_bytes().splitlines())
    n_done = len(done)
    done.clear()
    run(source.params(), make_context())

    assert n_journalled == 10
    assert n_done < 30
    assert not {f"{number:02}.wav" for number in range(n_journalled)} & set(done)
    assert len(done) == 30 - n_journalled
    out, other = source.folder / "out", source.folder / "unbroken"
    assert (out / "train_manifest.jsonl").read_bytes() == (other / "train_manifest.jsonl").read_bytes()
    assert not journal.exists()


@pytest.mark.parametrize(
    "planted",
    [
        1,
        {"reason": "", "detail": "", "duration_s": 1.0},
        {"reason": "x", "detail": "", "duration_s": "long"},
        {"duration_s": 1e308, "quality": {"peak_dbfs": 0.0, "rms_dbfs": 0.0, "clipped": 0.0}, "sound": "x"},
        {"duration_s": 0.6, "quality": {"peak_dbfs": "loud"}, "sound": "x"},
        {"duration_s": 0.6, "quality": {"peak_dbfs": 0.0, "rms_dbfs": 0.0, "clipped": 0.0}, "sound": "0" * 64},
    ],
)
def test_a_line_of_the_journal_that_is_not_this_jobs_counts_as_none(source, make_context, planted):
    for number in range(3):
        source.add(f"{number}.wav", tone(0.6, 16_000, pitch_hz=200 + number))
    broken = make_context()
    broken.cancel_after_progress = 3
    with pytest.raises(Cancelled):
        run(source.params(), broken)
    journal = source.folder / "out" / JOURNAL_NAME
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    journal.write_text("".join(json.dumps(line | {"value": planted}) + "\n" for line in lines))

    result = run(source.params(), make_context())

    assert lines
    assert (result.n_clips, result.kept_s) == (3, pytest.approx(1.8, abs=0.01))


def test_a_clip_that_was_lost_since_it_was_journalled_is_made_again(source, make_context):
    for number in range(3):
        source.add(f"{number}.wav", tone(0.6, 16_000, pitch_hz=200 + number))
    broken = make_context()
    broken.cancel_after_progress = 3

    with pytest.raises(Cancelled):
        run(source.params(), broken)
    (source.folder / "out" / "clips" / "0.wav").unlink()
    run(source.params(), make_context())

    assert (source.folder / "out" / "clips" / "0.wav").is_file()


def test_no_usable_clip_at_all_is_an_error_that_names_the_leading_reason(source, make_context):
    source.add("a.wav")
    source.add("b.wav")
    source.add("c.wav", tone(0.1, 16_000))

    with pytest.raises(UserError, match=r"2 times the reason was audio_missing \(line 1") as failure:
        run(source.params(), make_context())

    assert failure.value.code == "all_clips_rejected"
    assert len(source.rejections) == 3


def test_clips_are_never_written_over_their_sources(source, make_context):
    samples = tone(1.0, 16_000)
    source.add("a.wav", samples)
    inside = source.folder / "out"
    inside.mkdir()
    source.audio = source.audio.rename(inside / "clips")

    with pytest.raises(UserError) as caught:
        run(source.params(), make_context())

    assert caught.value.code == "output_is_input"
    assert soundfile.info(inside / "clips" / "a.wav").samplerate == 16_000


def test_a_real_recordings_clips_come_in_whole(make_context, tmp_path):
    if not PRINTING.is_dir():
        pytest.skip("needs ../shared/data/printing, a real recording that is not part of the project")
    shutil.copy(PRINTING / "transcripts.jsonl", tmp_path / "transcripts.jsonl")
    with (tmp_path / "transcripts.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"audio_file": "LJ001-9999.flac", "text": "Not there."}) + "\n")
    params = Params(
        audio_dir=str(PRINTING / "clips"),
        transcripts=str(tmp_path / "transcripts.jsonl"),
        out_dir=str(tmp_path / "out"),
        voice="lj",
    )

    result = run(params, make_context())

    rows = list(read_rows(tmp_path / "out" / "train_manifest.jsonl", Clip))
    assert (result.n_clips, result.n_rejected) == (20, 1)
    assert result.kept_s == pytest.approx(132.08, abs=0.05)
    assert [row.audio for row in rows] == [f"clips/LJ001-{number:04}.wav" for number in range(1, 21)]
    assert {soundfile.info(tmp_path / "out" / row.audio).samplerate for row in rows} == {24_000}


def test_the_same_sound_or_sentence_again_is_rejected_with_the_line_it_repeats(source, make_context):
    long = "The same sentence is read here once more."
    whole_numbers = np.round(tone(1.0, 24_000) * 32_767).astype(np.int16)
    source.add("a.wav", whole_numbers, 24_000, text="One.")
    source.add("a.flac", whole_numbers, 24_000, text="Two.")
    source.add("b.wav", tone(1.0, 24_000, pitch_hz=300), 24_000, text=long)
    source.add("c.mp3", tone(1.2, 24_000, pitch_hz=400), 24_000, text=long)
    source.add("d.ogg", tone(1.3, 24_000, pitch_hz=500), 24_000, text=long, speaker="other")

    run(source.params(), make_context())

    assert [row.audio for row in source.rows] == ["clips/a.wav", "clips/b.wav", "clips/d.wav"]
    assert [(row.reason, row.detail) for row in source.rejections] == [
        ("duplicate_audio", "line 2: line 1 sounds the same"),
        ("duplicate_text", "line 4: line 3 has the same text"),
    ]


def test_telephone_rates_are_rejected_with_rate_and_line(source, make_context):
    source.add("good.wav", tone(1.0, 24_000), 24_000)
    source.add("phone.wav", tone(1.0, 8_000), 8_000)

    run(source.params(), make_context())

    (rejection,) = source.rejections
    assert rejection.reason == "sample_rate_low"
    assert rejection.detail.startswith("line 2: 8000 Hz hold nothing above 4000 Hz")


def test_a_clip_of_bad_quality_is_rejected_with_its_line_value_and_limit(source, make_context):
    source.add("tone.wav", tone(1.0, 24_000), 24_000)

    with pytest.raises(UserError) as caught:
        run(source.params(quality={"dnsmos": "off"}), make_context())

    (rejection,) = source.rejections
    assert caught.value.code == "all_clips_rejected"
    assert (rejection.reason, rejection.limit, rejection.audio) == ("not_speech", 3.5, "clips/tone.wav")
    assert rejection.detail.startswith("line 1: its level moves by")
    assert rejection.value < 3.5


def test_all_bad_lines_are_told_at_once_and_are_skipped_and_counted_when_asked(source, make_context):
    source.add("a.wav", tone(1.0, 16_000), text="The first words.")
    source.add("b.wav", tone(1.5, 16_000), text="Other words.")
    params = source.params()
    with Path(params.transcripts).open("a", encoding="utf-8") as stream:
        stream.write('{"audio_file": "c.wav"\n{"text": "No file."}\n')

    with pytest.raises(UserError) as refused:
        KIND.check(params)
    result = run(params.model_copy(update={"on_error": "skip"}), make_context())

    assert refused.value.code == "manifest_unreadable"
    assert "line 3: " in refused.value.message
    assert "line 4: audio_file" in refused.value.message
    assert "on_error=skip to go on with the other 2" in refused.value.hint
    assert (result.n_clips, result.n_skipped, result.n_rejected) == (2, 2, 2)
    assert [row.detail.split(":")[0] for row in source.rejections] == ["line 3", "line 4"]
    KIND.check(params.model_copy(update={"on_error": "skip"}))
