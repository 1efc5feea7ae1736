"""The 12 Hz tokenizer in the released size, with random weights made on the device."""

from __future__ import annotations

from typing import Any

import torch

from bench.dataset.codes import REAL_ENCODER
from jobs.qwen.loading import load_tokenizer
from jobs.qwen.toy import config as toy_config
from jobs.qwen.toy.checkpoints import TOY_CODEC
from jobs.qwen.upstream import qwen_tts

# With these sizes the decoder has the 114.3 million weights of the released one.
DECODER = {
    "codebook_dim": 512, "hidden_size": 512, "latent_dim": 1024, "head_dim": 64, "num_attention_heads": 16,
    "num_key_value_heads": 16, "intermediate_size": 1024, "num_hidden_layers": 8, "decoder_dim": 1536,
}  # fmt: skip


def random_codec(device: str) -> Any:
    """Make upstream's ``Qwen3TTSTokenizer``."""
    config = toy_config.codec_config(2048)
    config["encoder_config"].update(REAL_ENCODER)
    config["decoder_config"].update(DECODER)
    keys = {name: value for name, value in config.items() if name not in ("architectures", "model_type")}
    core = qwen_tts().core
    tokenizer = load_tokenizer(TOY_CODEC, "cpu")
    with torch.device(device):
        tokenizer.model = core.Qwen3TTSTokenizerV2Model(core.Qwen3TTSTokenizerV2Config(**keys)).eval()
    tokenizer.config, tokenizer.device = tokenizer.model.config, torch.device(device)
    return tokenizer
