"""Every tensor of a training step and of a decoded frame is made on the model's device.

The device is torch's ``meta``, which computes shapes only and refuses tensors of another device, as a GPU would.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.support.train_step import SIZES, Recipe, config_of, made_up_clips, prepare, random_model
from jobs.codec_format import N_CODEBOOKS
from jobs.qwen.speech.decode_loop import DecodeLoop
from jobs.qwen.speech.decoder_weights import DecoderWeights
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.train.loss import loss_sums, predict, total_loss
from jobs.qwen.train.sequence_layout import ControlIds, collate
from jobs.qwen.upstream import qwen_tts


@pytest.fixture(autouse=True)
def _meta_has_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``meta`` answer what upstream asks of every device: its autocast, which is off, and if a mask is all ones.

    Without a mask attention is causal, as with one of ones.
    """
    autocast, enabled = torch.autocast, torch.is_autocast_enabled

    def autocast_of(device_type: str, **named: Any) -> Any:
        return autocast("cpu" if device_type == "meta" else device_type, **named)

    monkeypatch.setattr(torch, "autocast", autocast_of)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: device != "meta" and enabled(device))
    monkeypatch.setattr(qwen_tts().core.models.modeling_qwen3_tts, "create_causal_mask", lambda **_: None)


def model_of(size: str) -> Any:
    return random_model(config_of(SIZES[size]), "meta", torch.float32)


@pytest.mark.parametrize("size", ["tiny", "tiny-0.6b", "1.7b"])
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_training_step(size: str, method: Any, checkpointing: bool) -> None:
    model = model_of(size)
    prepare(model, Recipe(size=size, method=method, checkpointing=checkpointing))
    batch = collate(made_up_clips(SIZES[size], 2, (1.0, 2.0)), ControlIds.from_config(model.config)).to("meta")

    sums = loss_sums(predict(model, batch), batch)
    n_predictor = batch.n_frames * (N_CODEBOOKS - 1)
    total_loss(sums, n_talker=batch.n_labels, n_predictor=n_predictor, code_predictor_weight=0.3).backward()

    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert {gradient.device.type for gradient in gradients} == {"meta"}
    assert len(gradients) > 10


@pytest.mark.parametrize("size", ["tiny", "tiny-0.6b", "1.7b"])
@pytest.mark.parametrize("n_texts", [1, 4])
@pytest.mark.parametrize("decoding", [Decoding(), Decoding(top_p=0.9), Decoding(greedy=True)])
def test_a_frame_of_speech(size: str, n_texts: int, decoding: Decoding) -> None:
    loop = DecodeLoop(DecoderWeights(model_of(size)), n_texts, decoding)

    with torch.inference_mode():
        loop._frame(64, is_masked=n_texts > 1)

    assert loop._codes.device.type == "meta"


def test_a_tensor_of_another_device_is_refused() -> None:
    loop = DecodeLoop(DecoderWeights(model_of("tiny")), 2, Decoding())
    loop._penalties = loop._penalties.new_ones(loop._penalties.shape, device="cpu")

    with pytest.raises((RuntimeError, NotImplementedError)), torch.inference_mode():
        loop._frame(64, is_masked=True)
