"""The toy aligner hears noise: times equal WhisperX's own, and what it cannot align it says."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import whisperx.alignment
from safetensors.torch import load_file
from whisperx.alignment import DEFAULT_ALIGN_MODELS_HF, DEFAULT_ALIGN_MODELS_TORCH

from jobs.asr.ctc_alignment import character_spans
from jobs.asr.model_registry import DEFAULT_MODELS, is_on_disk
from jobs.asr.wav2vec2_folder import load_wav2vec2
from jobs.asr.whisperx_alignment import (
    HOP_SAMPLES,
    Aligner,
    Alphabet,
    CannotAlign,
    alignment_model_is_available,
    windows,
)
from jobs.errors import UserError
from jobs.settings import Settings
from tests.support.hostile.aligners import HOSTILE_ALIGNERS, make_hostile_aligner

RATE_HZ = 16_000
WORDS = [
    "printing",
    "in",
    "the",
    "only",
    "sense",
    "with",
    "which",
    "we",
    "are",
    "at",
    "present",
    "concerned",
    "doesn't",
    "differ",
]


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE_HZ)).astype(np.float32)


@pytest.fixture(scope="module")
def aligner(toy_aligner) -> Aligner:
    return Aligner("english", str(toy_aligner), "cpu")


@pytest.fixture
def punkt(tmp_path, monkeypatch):
    """An NLTK sentence splitter with nothing learnt, which ``whisperx.align`` insists on."""
    folder = tmp_path / "tokenizers" / "punkt_tab" / "english"
    folder.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (folder / name).write_text("")
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])


def emission_like_speech(tokens: list[int], n_labels: int = 32) -> np.ndarray:
    """Log probabilities of blanks in which every character is sure for a frame, a little before and after."""
    dice = np.random.default_rng(0)
    logits = dice.normal(0, 0.5, (5 * len(tokens) + 20, n_labels)).astype(np.float32)
    logits[:, 0] += 7
    for number, token in enumerate(tokens):
        frame = 10 + 5 * number + int(dice.integers(0, 3))
        logits[frame, token] += 14
    return np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


def test_on_speech_the_search_finds_the_frames_that_whisperx_finds():
    import torch

    tokens = np.random.default_rng(1).integers(1, 32, 120).tolist()
    emission = emission_like_speech(tokens)

    trellis = whisperx.alignment.get_trellis(torch.from_numpy(emission), tokens, 0)
    path = whisperx.alignment.backtrack(trellis, torch.from_numpy(emission), tokens, 0)
    theirs = whisperx.alignment.merge_repeats(path, "x" * len(tokens))
    ours = character_spans(emission, tokens, 0)

    assert [(span.start, span.end) for span in ours] == [(span.start, span.end) for span in theirs]
    np.testing.assert_allclose([span.score for span in ours], [span.score for span in theirs], atol=0.01)


def test_where_whisperx_guesses_or_gives_no_words_ours_says_so(aligner, toy_aligner, punkt):
    network, about = whisperx.alignment.load_align_model(
        "en", "cpu", model_name=str(toy_aligner), model_cache_only=True
    )
    segments = [
        {"start": 0.0, "end": 3.0, "text": "1455"},  # not in its dictionary: a guess with a score
        {"start": 0.0, "end": 0.1, "text": " ".join(WORDS)},  # no way back through so few frames
    ]

    theirs = whisperx.alignment.align(segments, network, about, noise(3.0), "cpu")

    assert [segment["words"] == [] for segment in theirs["segments"]] == [False, True]
    assert theirs["segments"][0]["words"][0]["score"] > 0
    with pytest.raises(CannotAlign, match="knows no '1'"):
        aligner.align(noise(3.0), ["1455"])
    with pytest.raises(CannotAlign, match="do not fit"):
        aligner.align(noise(0.1), WORDS)


def test_no_sentence_splitter_is_needed_and_none_is_downloaded(aligner, toy_aligner, monkeypatch):
    monkeypatch.setattr("nltk.data.path", [])

    words = aligner.align(noise(3.0), WORDS)

    assert len(words) == len(WORDS)


def test_words_are_in_order_and_inside_the_audio(aligner):
    words = aligner.align(noise(8.0), WORDS)

    assert [word.word for word in words] == WORDS
    assert all(0 <= word.start_s < word.end_s <= 8.0 for word in words)
    assert all(before.end_s <= after.start_s for before, after in itertools.pairwise(words))
    assert all(0 <= word.score <= 1 for word in words)


def test_more_than_one_window_of_audio_is_heard_as_one(aligner):
    words = aligner.align(noise(40.0), WORDS * 4)

    assert len(words) == len(WORDS) * 4
    assert words[-1].end_s <= 40.0


@pytest.mark.parametrize("n_samples", [480_000, 480_001, 900_000, 1_343_999, 1_344_000])
def test_windows_keep_every_frame_once(n_samples):
    def n_frames(length: int) -> int:
        return (length - 400) // HOP_SAMPLES + 1

    kept = [len(range(n_frames(len(window)))[keep]) for window, keep in windows(n_samples)]
    longest = max(len(window) for window, _ in windows(n_samples))

    assert sum(kept) == n_frames(n_samples)
    assert longest <= 30 * RATE_HZ


def test_a_digit_is_refused_rather_than_given_a_guessed_time(aligner):
    with pytest.raises(CannotAlign, match="'1'"):
        aligner.align(noise(3.0), ["in", "1455"])


def test_a_letter_of_another_script_is_refused(aligner):
    with pytest.raises(CannotAlign, match="'д'"):
        aligner.align(noise(3.0), ["да"])


def test_a_word_of_marks_alone_is_refused(aligner):
    with pytest.raises(CannotAlign, match="no letters"):
        aligner.align(noise(3.0), ["well", "…"])


def test_no_words_are_refused(aligner):
    with pytest.raises(CannotAlign, match="no words"):
        aligner.align(noise(3.0), [])


def test_too_many_characters_for_the_audio_are_refused(aligner):
    with pytest.raises(CannotAlign, match="do not fit"):
        aligner.align(noise(0.5), WORDS)


def test_audio_shorter_than_one_frame_is_refused(aligner):
    with pytest.raises(CannotAlign, match="too short"):
        aligner.align(noise(0.02), ["a"])


def test_accents_are_folded_where_the_model_has_no_label_for_them():
    alphabet = Alphabet({"<pad>": 0, "|": 1, "e": 2, "s": 3, "ü": 4, "'": 5}, separates_words=True)

    assert alphabet.tokens(["é", "ß’", "ü-"]) == ([2, 1, 3, 3, 5, 1, 4], [0, None, 1, 1, 1, None, 2])


def test_chinese_words_have_no_separator():
    alphabet = Alphabet({"<pad>": 0, "|": 1, "你": 2, "好": 3}, separates_words=False)

    assert alphabet.tokens(["你", "好"]) == ([2, 3], [0, 1])


def test_the_blank_is_never_a_letter():
    alphabet = Alphabet({"-": 0, "|": 1, "a": 2}, separates_words=True)

    assert alphabet.tokens(["a-a"]) == ([2, 2], [0, 0])


def test_the_models_are_those_of_the_installed_whisperx():
    theirs = {**DEFAULT_ALIGN_MODELS_HF, **DEFAULT_ALIGN_MODELS_TORCH}

    assert {code: theirs[code] for code in DEFAULT_MODELS} == DEFAULT_MODELS


def test_availability_is_told_without_network(toy_aligner, tmp_path):
    def is_available(*model: str) -> bool:
        return alignment_model_is_available(*model, torch_cache=tmp_path)

    assert is_available("english", str(toy_aligner))
    assert not is_available("english")
    assert not is_available("auto")
    assert not is_available("portuguese", "nobody/no-such-model")
    assert not is_available("english", "NO_SUCH_BUNDLE")

    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "wav2vec2_fairseq_base_ls960_asr_ls960.pth").touch()
    assert is_available("english")
    assert is_available("english", "WAV2VEC2_ASR_BASE_960H")


def test_a_model_of_the_hub_is_on_disk_when_its_snapshot_holds_weights(tmp_path):
    name = DEFAULT_MODELS["pt"]
    snapshot = tmp_path / f"models--{name.replace('/', '--')}" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").touch()

    without_weights = is_on_disk(name, tmp_path, tmp_path)
    (snapshot / "pytorch_model.bin").touch()

    assert not without_weights
    assert is_on_disk(name, tmp_path, tmp_path)


def test_torchs_own_cache_is_looked_at_when_none_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))

    assert not alignment_model_is_available("german")

    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "wav2vec2_voxpopuli_base_10k_asr_de.pt").touch()
    assert alignment_model_is_available("german")


def test_a_folder_that_is_no_model_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(UserError) as refusal:
        Aligner("english", str(tmp_path), "cpu")

    assert refusal.value.code == "model_unavailable"
    assert "align_model" in refusal.value.hint


def test_the_language_must_be_known(toy_aligner):
    with pytest.raises(UserError, match="not auto"):
        Aligner("auto", str(toy_aligner), "cpu")


def test_the_labels_are_those_that_whisperx_finds(toy_aligner):
    _, about = whisperx.alignment.load_align_model("en", "cpu", model_name=str(toy_aligner), model_cache_only=True)

    assert load_wav2vec2(str(toy_aligner), is_on_disk=True)[1] == about["dictionary"]


def test_marks_that_a_tokenizer_adds_beyond_the_labels_are_no_labels(toy_aligner, tmp_path):
    folder = Path(shutil.copytree(toy_aligner, tmp_path / "model"))
    before = load_wav2vec2(str(folder), is_on_disk=True)[1]
    n_labels = len(before)
    (folder / "added_tokens.json").write_text(json.dumps({"<s>": n_labels, "</s>": n_labels + 1}))

    assert load_wav2vec2(str(folder), is_on_disk=True)[1] == before

    (folder / "vocab.json").write_text(json.dumps(json.loads((folder / "vocab.json").read_text()) | {"é": n_labels}))
    with pytest.raises(UserError, match="has characters without one of its"):
        load_wav2vec2(str(folder), is_on_disk=True)


@pytest.mark.parametrize("kind", HOSTILE_ALIGNERS)
def test_a_hostile_alignment_model_is_refused(kind, toy_aligner, tmp_path):
    folder = make_hostile_aligner(kind, toy_aligner, tmp_path / "model")

    with pytest.raises(UserError) as refusal:
        Aligner("english", str(folder), "cpu")

    assert refusal.value.code == HOSTILE_ALIGNERS[kind][1]
    assert not (folder / "trace").exists()


def test_weights_of_an_older_torch_are_the_same(toy_aligner, tmp_path):
    folder = Path(shutil.copytree(toy_aligner, tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    new = "parametrizations.weight.original"
    older = {name.replace(f"{new}0", "weight_g").replace(f"{new}1", "weight_v"): each for name, each in weights.items()}
    torch.save(older, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()

    found = load_wav2vec2(str(folder), is_on_disk=True)[0].state_dict()
    expected = load_wav2vec2(str(toy_aligner), is_on_disk=True)[0].state_dict()

    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_a_pickle_in_torchs_cache_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    monkeypatch.setenv(name, Settings.from_environment({}).to_environment({})[name])
    (tmp_path / "checkpoints").mkdir()
    file = tmp_path / "checkpoints" / "wav2vec2_fairseq_base_ls960_asr_ls960.pth"

    file.write_bytes(f"cos\nmkdir\n(S'{tmp_path}/trace'\ntR.".encode())

    with pytest.raises(UserError) as refusal:
        Aligner("english", None, "cpu")

    assert refusal.value.code == "model_broken"
    assert not (tmp_path / "trace").exists()
