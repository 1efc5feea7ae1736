"""Token ids of texts: those of Qwen's own pattern, however a model's folder came about, here and in stock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.qwen.export import voice_config
from jobs.qwen.loading import load_processor
from jobs.qwen.toy.config import model_config
from jobs.qwen.toy.tokenizer import write_text_tokenizer
from jobs.qwen.upstream import qwen_tts

WORDS = ("iPhone", "McDonald", "USSR", "'s", "MacBook", "./")
FIRST_ID = 256  # after the bytes
N_ENTRIES = 100_100  # transformers changes the pattern of larger vocabularies than 100,000 only
I_PHONE, MC_DONALD, USSR, S, MAC_BOOK = 260, 267, 270, 271, 277
SPACE, DOT = 220, 13  # bytes

PINNED = [
    ("iPhone", [I_PHONE]),
    ("McDonald's", [MC_DONALD, S]),
    ("USSR", [USSR]),
    ("MacBook.", [MAC_BOOK, DOT]),
    ("iPhone's MacBook", [I_PHONE, S, SPACE, MAC_BOOK]),
]


def write_tokenizer(folder: Path, transformers_version: str | None) -> None:
    """Write a tokenizer with the size of Qwen's whose merges make each of ``WORDS`` one token, and a config."""
    ids, _ = write_text_tokenizer(folder)
    bytes_of = list(json.loads((folder / "vocab.json").read_text()))[:FIRST_ID]
    vocabulary = {symbol: number for number, symbol in enumerate(bytes_of)}
    merges = []
    for word in WORDS:
        for end in range(2, len(word) + 1):
            if word[:end] not in vocabulary:
                merges.append(f"{word[: end - 1]} {word[end - 1]}")
                vocabulary[word[:end]] = len(vocabulary)
    while len(vocabulary) < N_ENTRIES:
        vocabulary[f"<unused{len(vocabulary)}>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    (folder / "tokenizer.json").unlink()
    about = json.loads((folder / "tokenizer_config.json").read_text())
    moved = enumerate(about["added_tokens_decoder"].values(), len(vocabulary))
    about["added_tokens_decoder"] = {str(number): token for number, token in moved}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
    config: dict[str, Any] = model_config(
        shape="0.6b", text_ids=ids, text_vocab_size=len(vocabulary) + len(ids), codebook_size=256, hidden=64, layers=1,
        predictor_hidden=None,
    )  # fmt: skip
    if transformers_version is not None:
        config["transformers_version"] = transformers_version
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def ids_of(processor: Any, text: str) -> list[int]:
    found: list[int] = processor(text=text)["input_ids"][0]
    return list(found)


@pytest.mark.parametrize("version", [None, "4.57.2", "4.57.3", "5.1.0"])
def test_a_text_has_the_ids_of_qwens_pattern_whatever_the_folders_config_says(
    version: str | None, tmp_path: Path
) -> None:
    write_tokenizer(tmp_path, version)

    processor = load_processor(tmp_path)

    assert [(text, ids_of(processor, text)) for text, _ in PINNED] == PINNED


def test_stock_gives_an_exported_voice_the_same_ids_although_it_changes_those_of_the_base(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, "4.57.3")
    stock = qwen_tts().core.models.Qwen3TTSProcessor
    changed = stock.from_pretrained(str(tmp_path), fix_mistral_regex=True)
    base = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(voice_config(base, "fox")), encoding="utf-8")

    exported = stock.from_pretrained(str(tmp_path), fix_mistral_regex=True)

    assert ids_of(changed, "iPhone") != [I_PHONE]
    assert [(text, ids_of(exported, text)) for text, _ in PINNED] == PINNED
