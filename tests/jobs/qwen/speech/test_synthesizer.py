"""Every way to give a voice: our loop's samples are stock's, and takes spoken at once are those spoken alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs.qwen.model_info import describe_model
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.sound import Reference
from jobs.qwen.speech.synthesizer import Synthesizer, load_synthesizer
from jobs.qwen.toy.config import Shape
from tests.jobs.qwen.speech.conftest import Load

TEXT = "hello there, said the quick fox"
SHORT = Decoding(seed=3, max_seconds=0.4)  # five frames


def clone(folder: Path, text: str | None) -> Synthesizer:
    noise = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    reference = Reference(noise, text)
    return load_synthesizer(describe_model(folder), "cpu", speaker=None, language="auto", reference=reference)


@pytest.mark.parametrize("reference_text", [None, "a clip to continue"])
@pytest.mark.parametrize("shape", ["0.6b", "1.7b"])
def test_a_clone_is_stocks(shape: Shape, reference_text: str | None, wandering_toy: Callable[[Shape], Path]) -> None:
    voice = clone(wandering_toy(shape), reference_text)

    ours, stocks = voice.synthesize(TEXT, SHORT), voice.synthesize_by_stock(TEXT, SHORT)

    assert (ours.duration_s, ours.hit_limit) == (stocks.duration_s, stocks.hit_limit) == (0.4, True)
    assert np.array_equal(ours.samples, stocks.samples)


def test_an_instruct_is_spoken_as_stock_speaks_it(load_voice: Load) -> None:
    voice = replace(load_voice("1.7b"), instruct="slowly and calmly")

    ours, stocks = voice.synthesize(TEXT, SHORT), voice.synthesize_by_stock(TEXT, SHORT)

    assert np.array_equal(ours.samples, stocks.samples)
    assert not np.array_equal(ours.samples, load_voice("1.7b").synthesize(TEXT, SHORT).samples)  # it matters


def test_takes_spoken_at_once_are_those_spoken_alone(load_voice: Load) -> None:
    voice = load_voice("0.6b")
    takes = [(text, replace(SHORT, seed=seed)) for seed, text in enumerate((TEXT, "yes", TEXT, "the long day"))]

    together = dict(voice.synthesize_all(takes, n_slots=3))

    assert [np.array_equal(together[n].samples, voice.synthesize(*take).samples) for n, take in enumerate(takes)] == [
        True
    ] * 4
    assert min(speech.compute_s for speech in together.values()) > 0


@pytest.mark.parametrize("reference_text", [None, "a clip to continue"])
def test_a_stream_begins_with_two_frames_and_has_the_samples_of_the_whole(
    reference_text: str | None, wandering_toy: Callable[[Shape], Path]
) -> None:
    voice, decoding = clone(wandering_toy("0.6b"), reference_text), replace(SHORT, max_seconds=0.8)

    whole, parts = voice.synthesize(TEXT, decoding), list(voice.stream(TEXT, decoding))

    assert [len(part) // 1920 for part in parts] == [2, 4, 4]
    assert np.allclose(np.concatenate(parts), whole.samples, rtol=1e-5, atol=1e-12)
    assert np.abs(whole.samples).max() > 0


def test_an_architecture_that_the_loop_does_not_know_is_spoken_by_stock(load_voice: Load) -> None:
    voice = load_voice("0.6b")

    [(number, speech)] = replace(voice, weights=None).synthesize_all([(TEXT, SHORT)])

    assert number == 0
    assert np.array_equal(speech.samples, voice.synthesize(TEXT, SHORT).samples)


def test_a_model_that_speaks_does_not_depend_on_its_files(
    wandering_toy: Callable[[Shape], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(wandering_toy("0.6b"), tmp_path / "voice")
    voice = clone(folder, None)
    before = voice.synthesize(TEXT, SHORT).samples

    for file in (folder / "model.safetensors", folder / "speech_tokenizer" / "model.safetensors"):
        file.write_bytes(bytes(file.stat().st_size))  # truncates first

    assert np.array_equal(voice.synthesize(TEXT, SHORT).samples, before)


def test_takes_with_other_settings_are_not_mixed(load_voice: Load) -> None:
    takes = [(TEXT, SHORT), (TEXT, replace(SHORT, top_k=3))]

    with pytest.raises(ValueError, match="same settings"):
        next(load_voice("0.6b").synthesize_all(takes, n_slots=2))


def test_the_number_of_slots_is_bounded_by_takes_and_memory(load_voice: Load) -> None:
    voice = load_voice("0.6b")
    assert voice.weights is not None
    short, long = (TEXT, SHORT), ("word " * 400, Decoding(max_seconds=600))  # 2,000 letters, 7,500 frames
    slot_of_long = 16_384 * voice.weights.bytes_per_position

    assert voice.count_slots([short] * 3) == 3
    assert voice.count_slots([short] * 16) == 16
    assert voice.count_slots([short] * 20) == 10  # twice ten, not sixteen and four
    assert voice.count_slots([short, *[long] * 8], cache_bytes=3 * slot_of_long + 1) == 3
    assert voice.count_slots([long], cache_bytes=1) == 1
    assert replace(voice, weights=None).count_slots([short] * 30) == 1
