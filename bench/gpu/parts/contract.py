"""The training contract on the device: training predicts what greedy generation of the same model generates.

In float32 all 16 codebooks must agree. In half precision two codes may be almost equally likely: then the code that
was generated must be as likely as the predicted one, within the rounding of the format.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from bench.gpu.support.case import Case, Outcome, Setting, judge, left_out
from bench.support.train_step import SIZES, config_of, made_up_clips, random_model
from jobs.codec_format import N_CODEBOOKS
from jobs.qwen.precision import Precision
from jobs.qwen.train.fused_layers import fuse_layers
from jobs.qwen.train.loss import loss_sums, predict, total_loss
from jobs.qwen.train.sequence_layout import ControlIds, Example, collate
from jobs.training.run.forward import Forward

N_FRAMES = 25
WEIGHT_STD = 0.05  # with 0.02, the usual one, random models repeat one code
ATTENTION = ("sdpa", "eager", "flash_attention_2")
FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# Share of a logit's size that rounding may move it, summed over the layers: float32 has 24 bits, bfloat16 8.
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-3, 1e-3
HALF_LOSS_TOLERANCE = 0.01  # of the loss


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each size, format and attention, and one for the gradients."""
    for size in setting.sizes:
        for number_format in FORMATS:
            for attention in ATTENTION:
                name = f"{size} {number_format} {attention}"
                yield Case(name, partial(_agreement, setting, size, number_format, attention))
    yield Case("loss and gradients beside float64 on the CPU", partial(_same_gradients, setting))
    yield Case("loss in bfloat16 beside float32 on the CPU", partial(_same_loss_in_half, setting))


def _model(setting: Setting, size: str, dtype: torch.dtype, attention: str = "sdpa") -> Any:
    model = random_model(config_of(SIZES[size]), setting.device, dtype)
    generator = torch.Generator(setting.device).manual_seed(0)
    with torch.no_grad():
        for parameter in model.talker.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0.0, WEIGHT_STD, generator=generator)
    for module in model.modules():
        if hasattr(module, "config"):
            module.config._attn_implementation = attention
    model.speaker_encoder = None
    return model.eval()


def _agreement(setting: Setting, size: str, number_format: str, attention: str) -> Outcome:
    if attention == "flash_attention_2" and not (setting.is_gpu and importlib.util.find_spec("flash_attn")):
        return left_out("flash-attn is not installed, or this is no GPU.")
    if attention == "flash_attention_2" and number_format == "float32":
        return left_out("flash-attn has no float32.")
    model = _model(setting, size, FORMATS[number_format], attention)
    clip = _generate(model, setting)
    batch = collate([clip], ControlIds.from_config(model.config)).to(setting.device)
    with torch.no_grad():
        predicted = predict(model, batch)
    shares, shortfall = _compare(predicted, batch, ControlIds.from_config(model.config))
    n_different = len(torch.unique(clip.codes[:, 0]))
    return judge(
        shortfall <= TOLERANCE[number_format] and n_different > 5,
        "The generated codes are the predicted ones, or as likely within rounding."
        if shortfall <= TOLERANCE[number_format] else "Training predicts other codes than are generated.",
        frames=len(clip.codes), codes_seen=n_different, agree_codebook_0=round(shares[0], 4),
        agree_codebooks_1_to_15=round(shares[1], 4), largest_shortfall=round(shortfall, 6),
        tolerance=TOLERANCE[number_format],
    )  # fmt: skip


def _generate(model: Any, setting: Setting) -> Example:
    clip = made_up_clips(_shape_of(model), 1, (4.0, 4.0))[0]
    tail = torch.zeros(5, dtype=torch.long)  # generate cuts five ids off the end
    prompt = {
        "ref_code": None, "ref_spk_embedding": [clip.speaker.to(setting.device)],
        "x_vector_only_mode": [True], "icl_mode": [False],
    }  # fmt: skip
    codes, _ = model.generate(
        input_ids=[torch.cat([clip.text_ids, tail])[None].to(setting.device)], instruct_ids=[None], languages=["auto"],
        voice_clone_prompt=prompt, non_streaming_mode=True, do_sample=False, subtalker_dosample=False,
        repetition_penalty=1.0, max_new_tokens=N_FRAMES + 1,
    )  # fmt: skip
    return Example(clip.text_ids, codes[0].cpu(), "auto", clip.speaker)


def _shape_of(model: Any) -> Any:
    hidden = model.config.talker_config.hidden_size
    return next(shape for shape in SIZES.values() if shape.talker.hidden == hidden)


def _compare(predicted: Any, batch: Any, ids: ControlIds) -> tuple[tuple[float, float], float]:
    """Shares of codes that agree, and by how much the generated code is less likely, as a share of the logits' size."""
    talker = predicted.talker.float().clone()
    vocabulary = talker.shape[-1]
    talker[:, [token for token in range(vocabulary - 1024, vocabulary) if token != ids.codec_eos]] = -torch.inf
    talker[:2, ids.codec_eos] = -torch.inf  # generation may not end in its first two frames
    pairs = [
        (talker[batch.frame_in_labels], batch.codes[:, 0]),
        (predicted.predictor.float(), batch.codes[:, 1:N_CODEBOOKS]),
    ]
    shares, shortfalls = [], []
    for logits, codes in pairs:
        chosen = logits.gather(-1, codes[..., None]).squeeze(-1)
        best = logits.max(-1).values
        finite = torch.where(torch.isfinite(logits), logits, 0.0)
        shares.append((logits.argmax(-1) == codes).float().mean().item())
        shortfalls.append(((best - chosen) / finite.abs().amax()).max().item())
    return (shares[0], shares[1]), max(shortfalls)


def _same_gradients(setting: Setting) -> Outcome:
    """Loss and gradients of the fused layers on the device beside those of upstream's layers in float64."""
    found = []
    for device, dtype in ((setting.device, torch.float32), ("cpu", torch.float64)):
        size = "tiny" if setting.tiny else "60m"  # in float64, the gradients of a released size take 14 GB
        model = _model(setting, size, torch.float32).to(device, dtype)
        if dtype is torch.float32:
            fuse_layers(model)
        clips = made_up_clips(SIZES[size], 2, (2.0, 4.0))
        clips = [replace(clip, speaker=clip.speaker.to(dtype)) for clip in clips]
        batch = collate(clips, ControlIds.from_config(model.config)).to(device)
        sums = loss_sums(predict(model, batch), batch)
        n_predictor = batch.n_frames * (N_CODEBOOKS - 1)
        total = total_loss(sums, n_talker=batch.n_labels, n_predictor=n_predictor, code_predictor_weight=1.0)
        total.backward()
        gradients = [parameter.grad for parameter in model.talker.parameters() if parameter.grad is not None]
        found.append((float(total.detach()), torch.cat([each.detach().cpu().double().flatten() for each in gradients])))
    (loss, gradient), (reference, exact) = found
    apart = float((gradient - exact).norm() / exact.norm())
    return judge(
        abs(loss - reference) <= LOSS_TOLERANCE and apart <= GRADIENT_TOLERANCE,
        f"The loss differs by {abs(loss - reference):.1e}, the gradient by {apart:.1e} of its length.",
        loss=round(loss, 6), reference=round(reference, 6), tolerance=LOSS_TOLERANCE,
        gradient_apart=apart, gradient_tolerance=GRADIENT_TOLERANCE,
    )  # fmt: skip


def _same_loss_in_half(setting: Setting) -> Outcome:
    """Loss as full training computes it, with float32 weights and autocast, beside float32 on the CPU."""
    size = "tiny" if setting.tiny else "60m"
    found = []
    for device, number_format in ((setting.device, "bfloat16"), ("cpu", "float32")):
        model = _model(setting, size, torch.float32).to(device)
        fuse_layers(model)
        ids = ControlIds.from_config(model.config)
        batch = collate(made_up_clips(SIZES[size], 2, (2.0, 4.0)), ids).to(device)
        with torch.no_grad():
            sums = Forward(model, ids, device, Precision(number_format, "measured")).losses(batch)
        n_predictor = batch.n_frames * (N_CODEBOOKS - 1)
        total = total_loss(sums, n_talker=batch.n_labels, n_predictor=n_predictor, code_predictor_weight=1.0)
        found.append(float(total))
    apart = abs(found[0] - found[1]) / found[1]
    return judge(
        apart <= HALF_LOSS_TOLERANCE, f"The loss differs by {apart:.2%}.", loss=round(found[0], 5),
        reference=round(found[1], 5), tolerance=HALF_LOSS_TOLERANCE,
    )  # fmt: skip
