"""Tiny random models of the real classes, made in about a second: a Whisper and a wav2vec2 aligner.

They drive the real faster-whisper and WhisperX code without a download. Their words are noise: they prove
shapes, bounds, order and error paths, never recognition.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

N_TIMESTAMPS = 1_501  # as in every Whisper: 0.00 to 30.00 s
TIMESTAMP_STEP_S = 0.02
# The labels of wav2vec2-base-960h.
ALIGNER_LABELS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")
# A random output layer is almost uniform; sharpened, its emissions change from frame to frame as real ones do.
ALIGNER_SHARPNESS = 40.0


def make_toy_whisper(folder: Path, seed: int = 0) -> Path:
    """Make a random multilingual Whisper that faster-whisper loads.

    Args:
        folder: the CTranslate2 directory to make; what it holds already is kept when it is complete.
        seed: of the weights.

    Returns:
        ``folder``.
    """
    import ctranslate2
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    if (folder / "model.bin").is_file() and (folder / "tokenizer.json").is_file():
        return folder
    tokenizer, languages = _whisper_tokenizer()
    end, start = (tokenizer.token_to_id(name) for name in ("<|endoftext|>", "<|startoftranscript|>"))
    blank = tokenizer.token_to_id("Ġ")
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=tokenizer.get_vocab_size(),
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            num_mel_bins=80,
            decoder_start_token_id=start,
            eos_token_id=end,
            bos_token_id=end,
            pad_token_id=end,
        )
    )
    generation: Any = model.generation_config
    # Marked as derived, it would be derived afresh when the converter loads it, and the next lines be lost.
    generation._from_model_config = False
    generation.alignment_heads = [[0, 0]]
    generation.suppress_tokens = []
    generation.begin_suppress_tokens = [blank, end]
    generation.no_timestamps_token_id = tokenizer.token_to_id("<|notimestamps|>")
    generation.lang_to_id = {f"<|{code}|>": tokenizer.token_to_id(f"<|{code}|>") for code in languages}
    generation.is_multilingual = True
    with tempfile.TemporaryDirectory(prefix="toy-whisper-") as scratch:
        source = Path(scratch)
        model.save_pretrained(source)
        WhisperFeatureExtractor(feature_size=80).save_pretrained(source)
        tokenizer.save(str(source / "tokenizer.json"))
        (source / "tokenizer_config.json").write_text(
            json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}), encoding="utf-8"
        )
        # low_cpu_mem_usage would need accelerate's meta device, which the tied output layer does not survive.
        ctranslate2.converters.TransformersConverter(
            str(source), copy_files=["tokenizer.json", "preprocessor_config.json"], low_cpu_mem_usage=False
        ).convert(str(folder), force=True)
    return folder


def _whisper_tokenizer() -> tuple[Any, tuple[str, ...]]:
    """Byte-level tokenizer in the order of Whisper's own (text, controls, timestamps), and its languages."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {character: number for number, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    syllables = [consonant + vowel for consonant in "bdfghklmnprstvz" for vowel in "aeiou"]
    # No merges lead to these made-up words: the model may say them, the tokenizer never writes them.
    for parts in itertools.islice(itertools.product(syllables, repeat=2), 0, None, 11):
        vocabulary["Ġ" + "".join(parts)] = len(vocabulary)
    # CTranslate2 4.8 takes a Whisper for multilingual when its vocabulary has an empty token, as OpenAI's do.
    vocabulary[""] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    languages = tuple(_LANGUAGE_CODES)
    controls = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
    special = ("endoftext", "startoftranscript", *languages, *controls)
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True, normalized=False) for name in special])
    tokenizer.add_tokens(
        [AddedToken(f"<|{step * TIMESTAMP_STEP_S:.2f}|>", normalized=False) for step in range(N_TIMESTAMPS)]
    )
    return tokenizer, languages


def make_toy_aligner(folder: Path, seed: int = 0) -> Path:
    """Make a random wav2vec2 CTC model that ``whisperx.load_align_model(model_name=folder)`` accepts.

    Args:
        folder: the directory to make; what it holds already is kept when it is complete.
        seed: of the weights.

    Returns:
        ``folder``.
    """
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    if (folder / "model.safetensors").is_file() and (folder / "vocab.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = Wav2Vec2ForCTC(
        Wav2Vec2Config(
            vocab_size=len(ALIGNER_LABELS),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            conv_dim=(16,) * 7,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
            pad_token_id=0,
        )
    )
    with torch.no_grad():
        model.lm_head.weight.mul_(ALIGNER_SHARPNESS)
    labels = folder / "vocab.json"
    labels.write_text(json.dumps({label: number for number, label in enumerate(ALIGNER_LABELS)}), encoding="utf-8")
    tokenizer = Wav2Vec2CTCTokenizer(str(labels), unk_token="<unk>", pad_token="<pad>", word_delimiter_token="|")
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(), tokenizer).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder
