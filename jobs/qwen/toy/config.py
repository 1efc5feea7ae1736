"""Configurations of the toy checkpoints: the released layout of ids and keys with small widths.

Plain dictionaries, because ``save_pretrained`` of the upstream classes fails (qwen-tts 0.1.1) and because several
keys that the model needs are not arguments of the upstream constructors and are only kept as extra keys.
"""

from typing import Any, Literal

from jobs.codec_format import FRAMES_PER_SECOND, N_CODEBOOKS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

Shape = Literal["0.6b", "1.7b"]

HEAD_DIM = 16
CONTROL_IDS = 1024  # generate() suppresses the last 1024 talker ids except EOS

# Offsets above the codebook, as in the released models (codec_pad_id 2148 = 2048 + 100).
LANGUAGE_OFFSETS = {
    "english": 2, "german": 5, "spanish": 6, "chinese": 7, "japanese": 10, "french": 13, "korean": 16, "russian": 21,
    "italian": 22, "portuguese": 23,
}  # fmt: skip


def talker_widths(shape: Shape, hidden: int) -> tuple[int, int]:
    """Return (text width, code predictor width) for the proportions of a released model.

    0.6b: the text is wider than the talker, the code predictor as wide as the talker (no projection between).
    1.7b: the text is as wide as the talker, the code predictor narrower (``small_to_mtp_projection``).
    """
    return (hidden * 3 // 2, hidden) if shape == "0.6b" else (hidden, hidden * 3 // 4)


def model_config(
    *,
    shape: Shape,
    text_ids: dict[str, int],
    text_vocab_size: int,
    codebook_size: int,
    hidden: int,
    layers: int,
    predictor_hidden: int | None,
) -> dict[str, Any]:
    """Build ``config.json`` of a toy base."""
    text_hidden, predictor_default = talker_widths(shape, hidden)
    return {
        "architectures": ["Qwen3TTSForConditionalGeneration"],
        "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": "0b6" if shape == "0.6b" else "1b7",
        "tts_model_type": "base",
        "im_start_token_id": text_ids["<|im_start|>"],
        "im_end_token_id": text_ids["<|im_end|>"],
        "tts_pad_token_id": text_ids["<tts_pad>"],
        "tts_bos_token_id": text_ids["<tts_text_bos>"],
        "tts_eos_token_id": text_ids["<tts_text_eod>"],
        "speaker_encoder_config": _speaker_encoder_config(hidden),
        "talker_config": {
            "model_type": "qwen3_tts_talker",
            "text_hidden_size": text_hidden,
            "text_vocab_size": text_vocab_size,
            "num_hidden_layers": layers,
            "max_position_embeddings": 32768,
            "rope_scaling": {"interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default"},
            **_transformer_keys(hidden),
            **_codec_ids(codebook_size),
            "code_predictor_config": {
                "model_type": "qwen3_tts_talker_code_predictor",
                "vocab_size": codebook_size,
                "num_hidden_layers": 1,
                "max_position_embeddings": 65536,
                "rope_scaling": None,
                "layer_types": ["full_attention"],
                **_transformer_keys(predictor_hidden or predictor_default),
            },
        },
    }


def _transformer_keys(hidden: int) -> dict[str, Any]:
    return {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": HEAD_DIM,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000,
        "attention_bias": False,
        "use_cache": True,
        "num_code_groups": N_CODEBOOKS,
    }


def _codec_ids(codebook_size: int) -> dict[str, Any]:
    return {
        "vocab_size": codebook_size + CONTROL_IDS,
        "codec_pad_id": codebook_size + 100,
        "codec_bos_id": codebook_size + 101,
        "codec_eos_token_id": codebook_size + 102,
        "codec_think_id": codebook_size + 106,
        "codec_nothink_id": codebook_size + 107,
        "codec_think_bos_id": codebook_size + 108,
        "codec_think_eos_id": codebook_size + 109,
        "codec_language_id": {name: codebook_size + offset for name, offset in LANGUAGE_OFFSETS.items()},
        "spk_id": {},
        "spk_is_dialect": {},
    }


def _speaker_encoder_config(hidden: int) -> dict[str, Any]:
    return {
        "mel_dim": 128,
        "enc_dim": hidden,  # inserted into the talker's input as it is, so it must be as wide
        "enc_channels": [32, 32, 32, 32, 96],
        "enc_kernel_sizes": [5, 3, 3, 3, 1],
        "enc_dilations": [1, 2, 3, 4, 1],
        "enc_attention_channels": 16,
        "enc_res2net_scale": 8,
        "enc_se_channels": 16,
        "sample_rate": SAMPLE_RATE_HZ,
    }


def codec_config(codebook_size: int) -> dict[str, Any]:
    """Build ``speech_tokenizer/config.json`` of a toy 12 Hz tokenizer with the released rates."""
    hidden, codebook_dim = 32, 16
    encoder = {
        "model_type": "mimi", "sampling_rate": SAMPLE_RATE_HZ, "audio_channels": 1, "hidden_size": hidden,
        "num_filters": 4, "num_residual_layers": 1, "upsampling_ratios": [8, 6, 5, 4], "kernel_size": 7,
        "last_kernel_size": 3, "residual_kernel_size": 3, "dilation_growth_rate": 2, "use_causal_conv": True,
        "pad_mode": "constant", "compress": 2, "trim_right_ratio": 1.0, "codebook_size": codebook_size,
        "codebook_dim": codebook_dim, "num_quantizers": N_CODEBOOKS, "use_conv_shortcut": False,
        "vector_quantization_hidden_dimension": codebook_dim,
        "upsample_groups": hidden, "num_hidden_layers": 1, "intermediate_size": 64, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": hidden // 2, "hidden_act": "gelu", "max_position_embeddings": 8000,
        "use_cache": False, "sliding_window": 250, "num_semantic_quantizers": 1, "frame_rate": FRAMES_PER_SECOND,
    }  # fmt: skip
    decoder = {
        "codebook_size": codebook_size, "codebook_dim": 2 * codebook_dim, "hidden_size": hidden, "latent_dim": hidden,
        "head_dim": hidden // 2, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 64,
        "num_hidden_layers": 1, "num_quantizers": N_CODEBOOKS, "sliding_window": 72, "decoder_dim": 32,
        "upsample_rates": [8, 5, 4, 3], "upsampling_ratios": [2, 2], "max_position_embeddings": 8000,
    }  # fmt: skip
    return {
        "architectures": ["Qwen3TTSTokenizerV2Model"],
        "model_type": "qwen3_tts_tokenizer_12hz",
        "encoder_valid_num_quantizers": N_CODEBOOKS,
        "input_sample_rate": SAMPLE_RATE_HZ,
        "output_sample_rate": SAMPLE_RATE_HZ,
        "decode_upsample_rate": SAMPLES_PER_FRAME,
        "encode_downsample_rate": SAMPLES_PER_FRAME,
        "encoder_config": encoder,
        "decoder_config": decoder,
    }


CODEC_PREPROCESSOR = {
    "feature_extractor_type": "EncodecFeatureExtractor",
    "feature_size": 1,
    "sampling_rate": SAMPLE_RATE_HZ,
    "padding_value": 0.0,
    "padding_side": "right",
    "return_attention_mask": True,
    "chunk_length_s": None,
    "overlap": None,
}

# generation_config.json: the released sampling defaults; 256 frames are 20 s, plenty for a toy.
GENERATION = {
    "do_sample": True,
    "top_k": 50,
    "top_p": 1.0,
    "temperature": 0.9,
    "repetition_penalty": 1.05,
    "subtalker_dosample": True,
    "subtalker_top_k": 50,
    "subtalker_top_p": 1.0,
    "subtalker_temperature": 0.9,
    "max_new_tokens": 256,
}
