"""The 12 Hz tokenizer: shapes and rates with random weights, speech with the committed toy."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, read_clip
from jobs.audio.resampling import resample
from jobs.errors import UserError
from jobs.qwen.codec import Codec, load_codec
from jobs.qwen.toy.checkpoints import TOY_CODEC, make_toy_codec
from jobs.settings import PROJECT_ROOT

Fables = list[tuple[str, NDArray[np.float32]]]


@pytest.fixture(scope="module")
def random_codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    torch.set_num_threads(1)
    return load_codec(make_toy_codec(tmp_path_factory.mktemp("codec") / "tokenizer"), "cpu")


@pytest.fixture(scope="module")
def speaking_codec() -> Codec:
    torch.set_num_threads(1)
    return load_codec(TOY_CODEC, "cpu")


def _log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    power = librosa.feature.melspectrogram(
        y=samples, sr=CLIP_RATE_HZ, n_fft=1024, hop_length=256, n_mels=100, power=1.0
    )
    logarithm: NDArray[np.float32] = np.log(power * (2 / 1024) + 1e-3)
    return logarithm


def test_a_clip_of_any_length_gives_one_frame_per_1920_samples_begun(random_codec: Codec) -> None:
    lengths = [1, 1919, 1920, 1921, 50_000]
    rng = np.random.default_rng(0)

    codes = random_codec.encode([rng.normal(0, 0.1, length).astype(np.float32) for length in lengths])

    assert [each.shape for each in codes] == [(1, 16), (1, 16), (1, 16), (2, 16), (27, 16)]
    assert codes[-1].dtype == np.int64
    assert 0 <= codes[-1].min() < codes[-1].max() < 2048
    assert len(np.unique(codes[-1][:, 0])) > 3


def test_codes_decode_to_1920_samples_a_frame(random_codec: Codec) -> None:
    codes = np.random.default_rng(0).integers(0, 2048, (13, 16))

    samples = random_codec.decode(codes)

    assert samples.shape == (13 * 1920,)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()


def test_no_frames_decode_to_no_samples(random_codec: Codec) -> None:
    assert random_codec.decode(np.zeros((0, 16), np.int64)).shape == (0,)


def test_no_clips_encode_to_no_codes(random_codec: Codec) -> None:
    assert random_codec.encode([]) == []


def test_the_tokenizer_computes_in_float32_though_its_file_holds_half_precision(speaking_codec: Codec) -> None:
    assert {parameter.dtype for parameter in speaking_codec.upstream.model.parameters()} == {torch.float32}
    assert speaking_codec.codebook_size == 256


def test_codes_are_the_same_whatever_the_batch(speaking_codec: Codec, fables: Fables) -> None:
    clips = [samples[: 40_000 + 3_001 * number] for number, (_, samples) in enumerate(fables[:6])]

    alone = [speaking_codec.encode([clip])[0] for clip in clips]
    together = speaking_codec.encode(clips)

    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_a_padded_batch_gives_the_codes_of_each_clip_alone_but_for_rounding(
    speaking_codec: Codec, fables: Fables
) -> None:
    clips = [samples[: 1_920 * (20 + 7 * number)] for number, (_, samples) in enumerate(fables[:6])]
    clips = [clip[: len(clip) // 1_920 * 1_920] for clip in clips]

    alone = [speaking_codec.encode([clip])[0] for clip in clips]
    together = speaking_codec.encode_together(clips)

    assert [codes.shape for codes in together] == [codes.shape for codes in alone]
    assert np.mean(np.concatenate(together) == np.concatenate(alone)) > 0.995


def test_codes_of_real_speech_are_the_same_in_batches_of_one_of_eight_and_sorted_by_length(
    speaking_codec: Codec,
) -> None:
    folder = PROJECT_ROOT.parent / "shared" / "data" / "printing" / "clips"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/printing, a real recording that is not part of the project")
    clips = [read_clip(path, CLIP_RATE_HZ)[: 30_000 + 5_003 * n] for n, path in enumerate(sorted(folder.glob("*"))[:8])]
    order = sorted(range(8), key=lambda at: len(clips[at]))

    alone = [speaking_codec.encode([clip])[0] for clip in clips]
    eight = speaking_codec.encode(clips)
    by_length = speaking_codec.encode([clips[at] for at in order])

    assert all(np.array_equal(one, other) for one, other in zip(alone, eight, strict=True))
    assert all(np.array_equal(alone[at], other) for at, other in zip(order, by_length, strict=True))


def test_the_encoder_alone_gives_the_same_codes_with_fewer_weights(speaking_codec: Codec, fables: Fables) -> None:
    half = load_codec(TOY_CODEC, "cpu", encoder_only=True)

    assert np.array_equal(half.encode([fables[0][1]])[0], speaking_codec.encode([fables[0][1]])[0])
    assert half.n_parameters < speaking_codec.n_parameters


def test_the_toy_codec_keeps_the_spectrum_of_its_voice(speaking_codec: Codec, fables: Fables) -> None:
    _, clip = fables[0]

    rebuilt = speaking_codec.decode(speaking_codec.encode([clip])[0])[: len(clip)]

    source, result = _log_mel(clip), _log_mel(rebuilt)
    mean_spectrum_error = np.abs(source - source.mean(axis=1, keepdims=True)).mean()
    assert np.abs(source - result).mean() < 0.4 * mean_spectrum_error
    assert np.corrcoef(source.ravel(), result.ravel())[0, 1] > 0.93


def test_a_recogniser_follows_the_toy_codecs_speech(speaking_codec: Codec, fables: Fables) -> None:
    recogniser = Recogniser()
    words = [sentence.lower().rstrip(".").split() for sentence, _ in fables[:4]]

    n_right = 0
    for index, (_, clip) in enumerate(fables[:4]):
        rebuilt = speaking_codec.decode(speaking_codec.encode([clip])[0])
        audio_16k = resample(rebuilt, CLIP_RATE_HZ, SPEECH_RATE_HZ)
        scores = [recogniser.forced_score(audio_16k, text) for text in words]
        n_right += max(range(4), key=lambda at: -np.inf if scores[at] is None else scores[at]) == index

    assert n_right == 4


def test_codes_of_another_tokenizer_are_refused(speaking_codec: Codec) -> None:
    with pytest.raises(UserError, match="codes below 256") as caught:
        speaking_codec.decode(np.full((3, 16), 256))

    assert caught.value.code == "codes_out_of_range"


def test_codes_of_the_wrong_shape_are_refused(speaking_codec: Codec) -> None:
    with pytest.raises(UserError, match=r"shape \(3, 8\)"):
        speaking_codec.decode(np.zeros((3, 8), np.int64))


def test_the_committed_toy_codec_is_small() -> None:
    assert (Path(TOY_CODEC) / "model.safetensors").stat().st_size < 10_000_000
