"""The stock 12 Hz tokenizer in the toy's geometry: built, started well, given its codebooks, written.

The geometry is the committed codec's ``config.json``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from jobs.qwen.toy.checkpoints import TOY_CODEC
from jobs.qwen.upstream import qwen_tts
from samples.toy_codec.latent import Latent

CONFIG_FILES = ("config.json", "preprocessor_config.json")


def build_codec() -> Any:
    """A ``Qwen3TTSTokenizerV2Model`` whose every matrix keeps the spread of what passes through it.

    The stock start (spread 0.02, ConvNeXt scale 1e-6) lets neither signal nor gradient through.
    """
    core = qwen_tts().core
    config = json.loads((TOY_CODEC / "config.json").read_text(encoding="utf-8"))
    del config["architectures"]
    model = core.Qwen3TTSTokenizerV2Model(core.Qwen3TTSTokenizerV2Config(**config))
    model.encoder.config.use_cache = False
    for module in model.modules():
        _start(module)
    for upsample in model.decoder.upsample:
        upsample[1].gamma.data.fill_(0.3)
    return model


def _start(module: nn.Module) -> None:
    if isinstance(module, nn.ConvTranspose1d):
        fan_in = module.in_channels * max(1, module.kernel_size[0] // module.stride[0])
    elif isinstance(module, nn.Conv1d):
        fan_in = module.in_channels // module.groups * module.kernel_size[0]
    elif isinstance(module, nn.Linear):
        fan_in = module.in_features
    else:
        return
    nn.init.normal_(module.weight, std=fan_in**-0.5)
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def fit_start(convolutions: Iterable[tuple[nn.Module, float]], run: Callable[[], object]) -> None:
    """Scale each convolution so that on real input its output has zero mean and the given spread.

    Args:
        convolutions: in the order in which ``run`` passes them, with the spread wanted of each.
        run: one forward pass on real input.
    """
    hooks = [
        module.register_forward_hook(lambda module, _, output, spread=spread: _rescale(module, output, spread))
        for module, spread in convolutions
    ]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()


def _rescale(module: Any, output: torch.Tensor, spread: float) -> torch.Tensor:
    factor = spread / output.std()
    module.weight.mul_(factor)
    if module.bias is None:
        return output * factor
    mean = output.mean((0, 2))
    module.bias.copy_((module.bias - mean) * factor)
    return (output - mean[None, :, None]) * factor


def decoder_convolutions(decoder: Any) -> list[tuple[nn.Module, float]]:
    """The decoder's way to the waveform; residual branches start small, the output at speech level."""
    found = [(decoder.pre_conv.conv, 1.0), *((upsample[0].conv, 1.0) for upsample in decoder.upsample)]
    found.append((decoder.decoder[0].conv, 1.0))
    for block in decoder.decoder[1:-2]:
        found.append((block.block[1].conv, 0.8))
        for residual in block.block[2:]:
            found += [(residual.conv1.conv, 0.8), (residual.conv2.conv, 0.4)]
    return [*found, (decoder.decoder[-1].conv, 0.03)]


def encoder_convolutions(encoder: Any) -> list[tuple[nn.Module, float]]:
    """The encoder's convolutions at spread 2: at speech level (0.1) their ELUs would be all but linear."""
    layers = [module for module in encoder.encoder.modules() if isinstance(module, nn.Conv1d)]
    wide = [(layer, 1.0 if layer.kernel_size[0] == 1 else 2.0) for layer in layers[:-1]]
    return [*wide, (layers[-1], 1.0), (encoder.downsample.conv, 1.0)]


def set_books(model: Any, latent: Latent) -> None:
    """Give both halves the codebooks."""
    reads, writes = model.encoder.quantizer, model.decoder.quantizer
    encoder_layers = [
        *reads.semantic_residual_vector_quantizer.layers,
        *reads.acoustic_residual_vector_quantizer.layers,
    ]
    decoder_layers = [*writes.rvq_first.vq.layers, *writes.rvq_rest.vq.layers]
    with torch.no_grad():
        # the encoder may hold more layers than the 16 that count
        for read, write, codebook in zip(encoder_layers, decoder_layers, latent.codebooks, strict=False):
            read.codebook.embed_sum.copy_(codebook)
            read.codebook.cluster_usage.fill_(1.0)
            read.codebook._embed = None  # the cached quotient of the two
            write._codebook.embedding_sum.copy_(codebook)
            write._codebook.cluster_usage.fill_(1.0)
    for layer in decoder_layers:
        layer._codebook.requires_grad_(False)


def save_codec(model: Any, folder: Path) -> None:
    """Write what ``Qwen3TTSTokenizer.from_pretrained`` loads, weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in CONFIG_FILES:
        shutil.copyfile(TOY_CODEC / name, folder / name)
    weights = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).detach().clone().contiguous()
        for name, tensor in model.state_dict().items()
    }
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
