"""Clips become aligned clips: times that hold, reasons that say why not, and no clip done twice."""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from matplotlib.image import imread

import jobs.align.work
from jobs.align.params import Params
from jobs.align.spec import KIND
from jobs.align.work import DEFAULT_NAME, JOURNAL_NAME, REJECTIONS_NAME, run
from jobs.audio.clip_io import CLIP_RATE_HZ, duration_s, read_clip, write_clip
from jobs.dataset.exchange.exporters import give
from jobs.dataset.manifest import Clip, Rejection, read_rows
from jobs.dataset.report.plots import draw_spectrograms
from jobs.errors import UserError
from jobs.runner.worker.context import Cancelled
from jobs.settings import PROJECT_ROOT
from tests.support.declared_outputs import list_undeclared
from tests.support.kills.process_killer import killed_until_done
from tests.support.toy.models import make_toy_aligner

# Aligns as a worker does, says on stdout how far it is, and after five clips stands still until it is killed.
KILLED_WORKER = """
import sys
from jobs.align.params import Params
from jobs.align.work import run
from jobs.settings import Settings

class Context:
    settings = Settings.from_environment()
    n_calls = 0
    def progress(self, done, total=None, message="", **metrics):
        print(done, flush=True)
        self.n_calls += 1
        if self.n_calls == 6:
            sys.stdin.read()
    def raise_if_cancelled(self):
        pass

run(Params(manifest=sys.argv[1]), Context())
"""
SILENCE = np.zeros(3 * CLIP_RATE_HZ, np.float32)


def aligned(folder) -> list[Clip]:
    return list(read_rows(folder / DEFAULT_NAME, Clip))


def rejected(folder) -> list[Rejection]:
    return list(read_rows(folder / REJECTIONS_NAME, Rejection))


def line_of(audio: str, text: str) -> str:
    """A line of a manifest."""
    return json.dumps({"audio": audio, "text": text, "language": "english"}) + "\n"


def onset_s(path) -> float:
    """When the clip first gets within 25 dB of its loudest 10 ms."""
    samples = read_clip(path, 16_000)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    level_db = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-12)
    return float(np.argmax(level_db > level_db.max() - 25)) / 100


def test_every_clip_of_the_sample_gets_a_time_for_every_word(make_dataset, make_context, fables):
    manifest = make_dataset(fables)

    result = run(Params(manifest=str(manifest)), make_context())

    rows = aligned(manifest.parent)
    assert result.n_clips == len(rows) == len(fables)
    assert result.n_rejected == 0
    assert result.aligner == "pocketsphinx"
    assert result.n_words == sum(len(row.words) for row in rows)
    assert result.mean_word_score > 0.7
    assert [row.text for row in rows] == [text for text, _ in fables]
    for row in rows:
        assert all(word.start_s < word.end_s <= row.duration_s for word in row.words)
        assert all(first.end_s <= second.start_s for first, second in itertools.pairwise(row.words))


def test_the_manifest_is_published_and_the_journal_stays(make_dataset, make_context, fables):
    manifest, context = make_dataset(fables[:2]), make_context()

    result = run(Params(manifest=str(manifest)), context)

    assert context.published["manifest"] == (manifest.parent / DEFAULT_NAME, "manifest")
    assert result.manifest == str(manifest.parent / DEFAULT_NAME)
    assert context.fractions[-1] == 1.0
    names = {path.name for path in manifest.parent.iterdir()}
    assert names == {
        "clips",
        "train_manifest.jsonl",
        DEFAULT_NAME,
        REJECTIONS_NAME,
        "align_report.html",
        "align_report.png",
        ".align_journal.jsonl",
    }


def test_the_report_shows_words_over_their_sound_and_an_export_gets_their_times(make_dataset, make_context, fables):
    from lhotse import CutSet

    manifest, context = make_dataset(fables[:3]), make_context()
    give(manifest, ["lhotse"], context)
    page, of_ingest = manifest.with_name("align_report.html"), manifest.with_name("report.html")
    of_ingest.write_text("<p>Kept</p>", encoding="utf-8")
    plain = manifest.with_name("plain.png")
    draw_spectrograms(
        plain, manifest.parent, [row.model_copy(update={"text": ""}) for row in read_rows(manifest, Clip)]
    )

    before = {path.name for path in manifest.parent.iterdir()}
    run(Params(manifest=str(manifest)), context)

    assert list_undeclared(KIND, before, out=manifest.with_name("train_aligned.jsonl")) == []
    shown = page.read_text(encoding="utf-8")
    drawn, bare = (imread(path) for path in (manifest.with_name("align_report.png"), plain))
    assert context.published["report"] == (page, "report")
    assert drawn.shape == bare.shape
    n_light, n_light_bare = (int((each[..., :3].min(axis=2) > 0.5).sum()) for each in (drawn, bare))
    assert n_light - n_light_bare > 2000  # letters, and a line of 174 pixels at each of 29 words
    assert 'src="data:image/png;base64,' in shown
    assert of_ingest.read_text(encoding="utf-8") == "<p>Kept</p>"  # another job's artifact stays as it was published
    cuts = list(CutSet.from_file(manifest.parent / "exports" / "lhotse" / "cuts.jsonl.gz"))
    for cut, row in zip(cuts, aligned(manifest.parent), strict=True):
        times = [(item.symbol, item.start, item.end) for item in cut.supervisions[0].alignment["word"]]
        assert times == [(word.word, pytest.approx(word.start_s), pytest.approx(word.end_s)) for word in row.words]


def test_other_columns_travel_along(make_dataset, make_context, fables):
    manifest = make_dataset(fables[:1], mood="calm")

    run(Params(manifest=str(manifest)), make_context())

    (row,) = aligned(manifest.parent)
    assert (row.mood, row.transcript) == ("calm", "curated")


def test_a_written_number_gets_the_time_of_the_words_it_is_spoken_with(make_dataset, make_context, printing):
    text, path = next((text, path) for text, path in printing if "1455" in text)
    manifest = make_dataset([])
    shutil.copy(path, manifest.parent / "clips" / path.name)
    manifest.write_text(line_of(f"clips/{path.name}", text), encoding="utf-8")

    run(Params(manifest=str(manifest)), make_context())

    (row,) = aligned(manifest.parent)
    year = row.words[-1]
    assert year.word == "1455"
    assert 0.8 < year.end_s - year.start_s < 2.0  # fourteen fifty-five
    assert 0 <= row.words[-1].start_s - row.words[-2].end_s < 0.3


def test_clips_of_a_real_book_that_were_cut_within_words_lose_those_words_alone(make_dataset, make_context, printing):
    whole = make_dataset([])
    for _, path in printing:
        shutil.copy(path, whole.parent / "clips" / path.name)
    texts = {f"clips/{path.name}": text for text, path in printing}
    whole.write_text("".join(line_of(a, t) for a, t in texts.items()), encoding="utf-8")
    run(Params(manifest=str(whole)), make_context())
    truth = {row.audio: row.words for row in aligned(whole.parent)}
    starts = {}
    for audio, words in truth.items():
        samples, first = read_clip(whole.parent / audio, CLIP_RATE_HZ), words[0]
        starts[audio] = round((first.start_s + first.end_s) / 2 * CLIP_RATE_HZ)
        write_clip(whole.parent / audio.replace(".flac", ".wav"), samples[starts[audio] :], CLIP_RATE_HZ)
    whole.write_text(
        "".join(line_of(a.replace(".flac", ".wav"), t) for a, t in texts.items()),
        encoding="utf-8",
    )

    result = run(Params(manifest=str(whole)), make_context())

    assert result.n_trimmed >= 5
    assert result.n_clips + result.n_rejected == len(texts)
    lost = {row.audio: row for row in rejected(whole.parent) if row.text != texts[row.audio.replace(".wav", ".flac")]}
    assert len(lost) == result.n_trimmed
    made_before = {"clips", "train_manifest.jsonl"}
    assert list_undeclared(KIND, made_before, out=whole.with_name("train_aligned.jsonl")) == []
    for row in aligned(whole.parent):
        written = row.audio.removeprefix("trimmed/")
        audio = next(audio for audio in texts if written.startswith(audio.removesuffix(".flac")))
        n_lost = len(truth[audio]) - len(row.words)
        if not n_lost:  # a cut within the silence of a stop is not detected: 2 of 20
            continue
        part = lost[audio.replace(".flac", ".wav")]
        assert f"{part.text} {row.text}" == texts[audio]
        assert duration_s(whole.parent / row.audio) == pytest.approx(row.duration_s)
        begin_s = starts[audio] / CLIP_RATE_HZ + part.source.end_s
        assert begin_s < truth[audio][n_lost].start_s + 0.03  # before the first word that is kept
        for word, true in zip(row.words, truth[audio][n_lost:], strict=True):
            assert word.start_s + begin_s == pytest.approx(true.start_s, abs=0.1)


def test_a_kill_costs_one_clip_and_no_clip_is_aligned_twice(make_dataset, make_context, fables, monkeypatch):
    manifest = make_dataset(fables[:6])
    done: list[str] = []
    align_clip = jobs.align.work.align_clip
    monkeypatch.setattr(
        jobs.align.work,
        "align_clip",
        lambda path, *rest: (done.append(path.name), align_clip(path, *rest))[1],
    )
    first = make_context()
    first.cancel_after_progress = 4

    with pytest.raises(Cancelled):
        run(Params(manifest=str(manifest)), first)
    journal = manifest.parent / JOURNAL_NAME
    n_journalled = len(journal.read_bytes().splitlines())
    journal.write_bytes(journal.read_bytes()[:-10])  # the kill came while the last line was written
    run(Params(manifest=str(manifest)), make_context())

    assert n_journalled == 3
    assert done == ["0.wav", "1.wav", "2.wav", "2.wav", "3.wav", "4.wav", "5.wav"]
    assert [row.audio for row in aligned(manifest.parent)] == [f"clips/{n}.wav" for n in range(6)]
    run(Params(manifest=str(manifest)), make_context())
    assert len(done) == 7, "a later job aligns only what has changed"


def test_a_killed_process_leaves_what_it_had_aligned(make_dataset, make_context, fables):
    manifest = make_dataset(fables)
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED_WORKER, str(manifest)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
    )

    n_reported = sum(1 for _ in itertools.islice(worker.stdout, 6))
    worker.kill()
    worker.communicate()
    n_journalled = len((manifest.parent / JOURNAL_NAME).read_bytes().splitlines())
    result = run(Params(manifest=str(manifest)), make_context())

    assert worker.returncode == -signal.SIGKILL
    assert n_reported == 6  # "loading", then five clips
    assert n_journalled == 5
    assert result.n_clips == len(fables)


def test_a_resumed_run_writes_what_an_unbroken_one_writes(make_dataset, make_context, fables):
    manifest = make_dataset(fables[:4])
    broken = make_context()
    broken.cancel_after_progress = 3

    with pytest.raises(Cancelled):
        run(Params(manifest=str(manifest)), broken)
    run(Params(manifest=str(manifest)), make_context())
    resumed = (manifest.parent / DEFAULT_NAME).read_bytes()
    run(Params(manifest=str(manifest)), make_context())

    assert (manifest.parent / DEFAULT_NAME).read_bytes() == resumed


def test_wrong_texts_are_rejected_each_with_its_reason(make_dataset, make_context, fables):
    (good, audio), (other, longer) = fables[0], fables[1]
    wrong = [
        (good, audio),
        ("…", audio),
        ("Москва", audio),
        (good, SILENCE),
        (good, audio[:2_000]),
        (" ".join(other.split()[:3]), longer),
    ]
    manifest = make_dataset(wrong)
    with manifest.open("a", encoding="utf-8") as stream:
        stream.write(
            json.dumps({"audio": "clips/gone.wav", "text": good, "language": "english", "duration_s": 2.5}) + "\n"
        )
        stream.write(json.dumps({"audio": "clips/text.wav", "text": good, "language": "english"}) + "\n")
    (manifest.parent / "clips" / "text.wav").write_text("This is no audio.")

    result = run(Params(manifest=str(manifest)), make_context())

    reasons = {rejection.detail.split(":")[0]: rejection.reason for rejection in rejected(manifest.parent)}
    assert reasons == {
        "line 2": "no_text",
        "line 3": "text_unspeakable",
        "line 4": "not_aligned",
        "line 5": "too_short",
        "line 6": "speech_without_text",
        "line 7": "audio_missing",
        "line 8": "audio_unreadable",
    }
    assert result.n_clips == 1
    assert sum(result.rejected_by_reason.values()) == result.n_rejected == 7
    gone = next(rejection for rejection in rejected(manifest.parent) if rejection.reason == "audio_missing")
    assert (gone.source.recording, gone.source.end_s, gone.text) == ("clips/gone.wav", 2.5, good)


def test_a_text_that_is_not_spoken_never_passes(make_context, make_dataset, fables):
    texts = [text for text, _ in fables]
    shifted = [(texts[(n + 5) % len(texts)], samples) for n, (_, samples) in enumerate(fables)]
    manifest = make_dataset(shifted)

    with pytest.raises(UserError, match="None of the 18 clips") as failure:
        run(Params(manifest=str(manifest)), make_context())

    assert failure.value.code == "all_clips_rejected"
    assert len(rejected(manifest.parent)) == 18
    assert not (manifest.parent / DEFAULT_NAME).exists()


def test_clips_without_text_send_back_to_ingest(make_dataset, make_context, fables):
    manifest = make_dataset([("", samples) for _, samples in fables[:2]])

    with pytest.raises(UserError, match="no_text") as failure:
        run(Params(manifest=str(manifest)), make_context())

    assert "ingest again" in failure.value.hint


def test_a_given_least_score_takes_the_place_of_the_default(make_dataset, make_context, fables):
    manifest = make_dataset(fables[:3])

    with pytest.raises(UserError, match="low_score"):
        run(Params(manifest=str(manifest), min_word_score=0.99), make_context())
    result = run(Params(manifest=str(manifest), min_word_score=0.0), make_context())

    assert result.n_clips == 3


def test_the_source_of_a_rejected_clip_is_kept(make_dataset, make_context, fables):
    manifest = make_dataset(fables[:1])
    source = {"recording": "book.m4b", "chapter": 2, "start_s": 10.0, "end_s": 12.5}
    with manifest.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"audio": "clips/0.wav", "text": "—", "language": "english", "source": source}) + "\n")

    run(Params(manifest=str(manifest)), make_context())

    (rejection,) = rejected(manifest.parent)
    assert rejection.source.model_dump() == source


def test_a_path_out_of_the_dataset_is_refused_before_anything_is_aligned(make_dataset, make_context, fables):
    manifest = make_dataset(fables[:1])
    with manifest.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"audio": "/etc/secret.wav", "text": "A secret."}) + "\n")

    with pytest.raises(UserError) as caught:
        run(Params(manifest=str(manifest)), make_context())

    assert caught.value.code == "path_outside_dataset"
    assert not (manifest.parent / DEFAULT_NAME).exists()


def test_a_bad_line_is_named_before_anything_is_aligned(make_dataset, make_context, fables):
    manifest = make_dataset(fables[:1])
    with manifest.open("a", encoding="utf-8") as stream:
        stream.write("{not json\n")

    with pytest.raises(UserError, match="line 2") as caught:
        run(Params(manifest=str(manifest)), make_context())

    assert caught.value.code == "manifest_unreadable"


def test_an_output_elsewhere_names_the_audio_by_its_whole_path(make_dataset, make_context, fables, tmp_path):
    manifest = make_dataset(fables[:1])
    out = tmp_path / "elsewhere" / "out.jsonl"

    run(Params(manifest=str(manifest), out=str(out)), make_context())

    assert [row.audio for row in read_rows(out, Clip)] == [str(manifest.parent / "clips" / "0.wav")]


def test_an_output_above_the_audio_names_it_relative_to_itself(make_dataset, make_context, fables, tmp_path):
    manifest = make_dataset(fables[:1], ref_audio="clips/0.wav")

    run(Params(manifest=str(manifest), out=str(tmp_path / "out.jsonl")), make_context())

    (row,) = read_rows(tmp_path / "out.jsonl", Clip)
    assert (row.audio, row.ref_audio) == ("dataset/clips/0.wav", "dataset/clips/0.wav")
    assert (tmp_path / row.audio).is_file()


def test_a_root_elsewhere_is_where_the_audio_is_looked_for(make_dataset, make_context, fables, tmp_path):
    manifest = make_dataset(fables[:1]).rename(tmp_path / "moved.jsonl")
    root = tmp_path / "dataset"

    run(Params(manifest=str(manifest), root=str(root), out=str(root / "aligned.jsonl")), make_context())

    (row,) = read_rows(root / "aligned.jsonl", Clip)
    assert row.audio == "clips/0.wav"


@pytest.mark.parametrize(
    ("language", "fields", "code"),
    [
        ("german", {}, "aligner_unavailable"),
        ("german", {"aligner": "pocketsphinx"}, "aligner_unavailable"),
        ("english", {"aligner": "pocketsphinx", "align_model": "a/model"}, "aligner_unavailable"),
        ("auto", {}, "language_unknown"),
        ("elvish", {}, "language_unknown"),
    ],
)
def test_a_language_without_an_aligner_is_refused(make_dataset, make_context, fables, language, fields, code):
    manifest = make_dataset(fables[:1], language=language)

    with pytest.raises(UserError) as caught:
        run(Params(manifest=str(manifest), **fields), make_context())

    assert caught.value.code == code
    assert caught.value.hint


def test_whisperx_aligns_when_its_model_is_given(make_dataset, make_context, tmp_path):
    quiet = np.random.default_rng(0).normal(0, 1e-4, 3 * CLIP_RATE_HZ).astype(np.float32)
    quiet[: CLIP_RATE_HZ // 20] = quiet[-CLIP_RATE_HZ // 20 :] = 0  # a border must not cut a word
    manifest = make_dataset([("Printing, in the only sense.", quiet)], language="english")
    model = make_toy_aligner(tmp_path / "aligner")

    result = run(Params(manifest=str(manifest), align_model=str(model)), make_context())

    (row,) = aligned(manifest.parent)
    assert result.aligner == f"whisperx {model}"
    assert [word.word for word in row.words] == ["Printing", "in", "the", "only", "sense"]
    assert row.words[-1].end_s <= 3.0


def test_real_narration_is_aligned_whole(make_dataset, make_context, printing):
    manifest = make_dataset([])
    for _, path in printing:
        shutil.copy(path, manifest.parent / "clips" / path.name)
    lines = [line_of(f"clips/{path.name}", text).strip() for text, path in printing]
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")

    result = run(Params(manifest=str(manifest)), make_context())

    assert result.n_clips == 20
    assert result.n_rejected == 0
    assert result.mean_word_score > 0.68
    onsets_s = [onset_s(path) for _, path in printing]
    starts_s = [row.words[0].start_s for row in aligned(manifest.parent)]
    np.testing.assert_allclose(starts_s, onsets_s, atol=0.15)


def test_an_alignment_killed_twice_writes_the_very_bytes_of_one_that_was_not(
    make_dataset, make_context, fables, tmp_path
):
    manifest = make_dataset(fables)
    whole, harmed = tmp_path / "whole", tmp_path / "harmed"
    shutil.copytree(manifest.parent, whole)
    shutil.copytree(manifest.parent, harmed)
    began = time.monotonic()
    run(Params(manifest=str(whole / manifest.name)), make_context())

    n_killed = killed_until_done(
        lambda: run(Params(manifest=str(harmed / manifest.name)), make_context()),
        random.Random(1),
        within_s=(time.monotonic() - began) / 2,
        n_kills=2,
    )

    assert n_killed == 2
    for name in (DEFAULT_NAME, REJECTIONS_NAME):
        assert (harmed / name).read_bytes() == (whole / name).read_bytes()
