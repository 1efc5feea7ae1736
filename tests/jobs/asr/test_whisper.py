"""The toy Whisper says noise: shapes, bounds, order and error paths of the real faster-whisper."""

import logging
import shutil

import ctranslate2
import numpy as np
import pytest

from jobs.asr.model_registry import NAMES
from jobs.asr.transcript import TranscribedSegment
from jobs.asr.whisper import Transcriber
from jobs.asr.whisper_encoding import MOST_KEPT
from jobs.errors import UserError
from tests.support.hostile.whispers import HOSTILE_WHISPERS, make_hostile_whisper

RATE_HZ = 16_000


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, int(seconds * RATE_HZ)).astype(np.float32)


@pytest.fixture
def transcriber(toy_whisper) -> Transcriber:
    return Transcriber(str(toy_whisper), "cpu", cpu_threads=1)


def test_segments_lie_in_order_inside_the_audio(transcriber):
    segments = transcriber.transcribe(noise(12.0), "english")

    assert segments
    assert all(0 <= segment.start_s < segment.end_s <= 12.0 for segment in segments)
    assert [segment.start_s for segment in segments] == sorted(segment.start_s for segment in segments)
    assert all(segment.text == segment.text.strip() != "" for segment in segments)


def test_the_same_audio_gives_the_same_texts_again(toy_whisper):
    first, again = (
        Transcriber(str(toy_whisper), "cpu", cpu_threads=1).transcribe(noise(12.0), "english") for _ in range(2)
    )

    assert first == again != []


def test_audio_of_two_windows_is_heard_to_its_end(transcriber):
    segments = transcriber.transcribe(noise(45.0), "english")

    assert segments[-1].end_s > 30.0


def test_the_toy_is_multilingual_so_that_a_language_is_detected(transcriber):
    assert transcriber._whisper.model.is_multilingual
    assert transcriber.transcribe(noise(3.0), "auto")
    assert transcriber.transcribe(noise(3.0), None)


def test_noise_read_by_a_random_model_is_doubtful(transcriber):
    segments = transcriber.transcribe(noise(5.0), "german")

    assert {segment.doubt() for segment in segments} <= {"low_confidence", "hallucination_loop", "too_many_words"}
    assert all(segment.mean_log_probability < -1.0 for segment in segments)


def test_words_have_times_inside_the_audio(transcriber):
    segments = transcriber.transcribe(noise(6.0), "english")

    words = [word for segment in segments for word in segment.words]
    assert words
    assert all(0 <= word.start_s <= word.end_s <= 6.0 and 0 <= word.probability <= 1 for word in words)
    assert all(word.word == word.word.strip() for word in words)


def test_a_language_is_detected_among_the_ten(transcriber):
    code, probability = transcriber.detect_language(noise(3.0))

    assert code in NAMES
    assert 0 < probability <= 1
    assert {segment.language for segment in transcriber.transcribe(noise(3.0), None)} == {code}


def test_spans_heard_in_batches_have_the_texts_of_spans_heard_alone(toy_whisper):
    samples = noise(9.0)
    spans = [(0.0, 3.0), (3.0, 4.5), (5.0, 8.0), (128_641 / 16_000, 9.0)]  # the last one's start rounds down
    batched = Transcriber(str(toy_whisper), "cpu", cpu_threads=1, batch_size=2)

    heard = batched.transcribe_spans(samples, spans, "english")

    assert len(heard) == 4
    for (start_s, end_s), segments in zip(spans, heard, strict=True):
        assert segments
        assert all(0 <= segment.start_s < segment.end_s <= end_s - start_s + 1e-6 for segment in segments)


def test_a_doubtful_span_of_a_batch_is_heard_again_alone_with_all_checks(toy_whisper, caplog):
    batched = Transcriber(str(toy_whisper), "cpu", cpu_threads=1, batch_size=2)

    with caplog.at_level(logging.DEBUG, "faster_whisper"):
        batched.transcribe_spans(noise(4.0), [(0.0, 2.0), (2.0, 4.0)], "english")

    # random text is doubtful: faster-whisper logs the check that fails, which its batches never do
    assert any("threshold is not met" in record.message for record in caplog.records)


def test_a_doubtful_text_is_the_same_after_whatever_was_heard_before(toy_whisper):
    samples = noise(3.0)
    fresh, used = (Transcriber(str(toy_whisper), "cpu", cpu_threads=1) for _ in range(2))
    for seconds in (2.0, 4.0):
        used.transcribe(noise(seconds), "english")

    found = fresh.transcribe(samples, "english")

    assert any(segment.doubt() for segment in found)
    assert used.transcribe(samples, "english") == found == used.transcribe(samples, "english")


def test_a_number_format_that_the_machine_lacks_is_refused_with_those_it_has(toy_whisper):
    with pytest.raises(UserError, match="float16") as refusal:
        Transcriber(str(toy_whisper), "cpu", compute_type="float16")

    assert refusal.value.code == "compute_type_unsupported"
    assert "int8" in refusal.value.hint


def test_a_gpu_that_is_not_there_is_refused(toy_whisper):
    if ctranslate2.get_cuda_device_count():
        pytest.skip("there is a GPU")

    with pytest.raises(UserError, match="no GPU"):
        Transcriber(str(toy_whisper), "cuda")


def test_no_samples_give_no_segments(transcriber):
    assert transcriber.transcribe(np.zeros(0, np.float32), "english") == []


@pytest.mark.parametrize(
    ("log_probability", "no_speech", "compression", "doubt"),
    [
        (-0.2, 0.0, 1.4, None),
        (-0.2, 0.0, 2.5, "hallucination_loop"),
        (-1.2, 0.7, 1.4, "no_speech"),
        (-1.2, 0.1, 1.4, "low_confidence"),
        (-0.9, 0.9, 1.4, None),
    ],
)
def test_doubt_follows_whispers_own_thresholds(log_probability, no_speech, compression, doubt):
    assert TranscribedSegment(0.0, 1.0, "text", log_probability, no_speech, compression).doubt() == doubt


def test_an_unknown_language_is_refused_with_the_known_ones(transcriber):
    with pytest.raises(UserError, match="'klingon'") as refusal:
        transcriber.transcribe(noise(1.0), "klingon")

    assert refusal.value.code == "language_unknown"
    assert "italian" in refusal.value.hint


def test_a_folder_without_weights_is_no_model(tmp_path):
    with pytest.raises(UserError, match=r"no model\.bin") as refusal:
        Transcriber(str(tmp_path), "cpu")

    assert refusal.value.code == "model_unavailable"


@pytest.mark.parametrize("kind", HOSTILE_WHISPERS)
def test_a_hostile_whisper_is_refused_before_it_is_loaded(kind, toy_whisper, tmp_path):
    folder = make_hostile_whisper(kind, toy_whisper, tmp_path / "model")

    with pytest.raises(UserError) as refusal:
        Transcriber(str(folder), "cpu", cpu_threads=1)

    assert refusal.value.code == HOSTILE_WHISPERS[kind][1]


def test_a_whisper_in_a_hub_cache_of_links_works_and_its_own_settings_of_the_input_are_not_used(toy_whisper, tmp_path):
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "0", tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    shutil.copytree(toy_whisper, blobs)
    for path in blobs.iterdir():
        (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
    (blobs / "preprocessor_config.json").write_text('{"feature_size": 1000000000, "n_fft": 1000000000}')

    segments = Transcriber(str(snapshot), "cpu", cpu_threads=1).transcribe(noise(2.0), "english")

    assert segments == Transcriber(str(toy_whisper), "cpu", cpu_threads=1).transcribe(noise(2.0), "english")


def test_a_name_that_no_model_has_says_which_there_are():
    with pytest.raises(UserError, match="large-v3") as refusal:
        Transcriber("larg-v3", "cpu")

    assert refusal.value.code == "model_unavailable"


def test_a_model_that_cannot_be_downloaded_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(UserError, match="could not be downloaded") as refusal:
        Transcriber("large-v3", "cpu")

    assert refusal.value.code == "model_unavailable"
    assert "hf download" in refusal.value.hint


def test_a_window_that_was_transcribed_is_scored_without_another_encoding(transcriber):
    samples = noise(40.0)
    transcriber.transcribe_spans(samples, [(0.0, 12.3), (13.1, 30.0)], "english")
    known = dict(transcriber._whisper._kept)

    window = samples[round(13.1 * RATE_HZ) : round(30.0 * RATE_HZ)]
    kept = transcriber.score(window, [["One", "two."]], "en")

    assert transcriber._whisper._kept.keys() == known.keys()
    other = Transcriber(transcriber.model, "cpu", cpu_threads=1).score(window, [["One", "two."]], "en")
    assert kept[0].log_probability == pytest.approx(other[0].log_probability, abs=1e-3)


def test_encodings_of_many_windows_are_not_kept(transcriber):
    for k in range(MOST_KEPT + 3):
        transcriber.score(noise(1.0) * (k + 1) / 50, [["One."]], "en")

    assert len(transcriber._whisper._kept) == MOST_KEPT
