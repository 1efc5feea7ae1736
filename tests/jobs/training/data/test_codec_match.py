"""Codes of another tokenizer are refused: by the base's name before a download, by its codebooks before training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.model_folders.contents import ModelFolder
from jobs.qwen.codec_identity import identify_tokenizer
from jobs.qwen.model_files import CODEC
from jobs.qwen.toy.checkpoints import make_toy_codec
from jobs.training import work
from jobs.training.data.codec_match import check_first_rows
from jobs.training.params import DEFAULT_BASE, Params

TOY = {"name": "toy", "fingerprint": "0" * 16, "codebook_size": 256}
REAL = {"name": "Qwen/Qwen3-TTS-Tokenizer-12Hz", "fingerprint": "1" * 16, "codebook_size": 2048}


def write(path: Path, highest: int, n_frames: int, **fields: Any) -> Path:
    codes = [[(frame * 16 + book) % (highest + 1) for book in range(16)] for frame in range(n_frames)]
    row = {"audio": "a.wav", "ref_audio": "a.wav", "text": "A line.", "audio_codes": codes, **fields}
    path.write_text(json.dumps(row) + "\n{broken\n")
    return path


@pytest.mark.parametrize(
    ("highest", "n_frames", "fields", "base", "is_refused"),
    [
        (255, 120, {}, DEFAULT_BASE, True),  # of an earlier version, which named no tokenizer
        (255, 5, {"codes_tokenizer": TOY}, DEFAULT_BASE, True),
        (2047, 200, {"codes_tokenizer": REAL}, "toy", True),
        (255, 20, {}, DEFAULT_BASE, False),  # too few to tell
        (2047, 200, {}, DEFAULT_BASE, False),
        (2047, 200, {"codes_tokenizer": REAL}, DEFAULT_BASE, False),
        (255, 120, {}, "toy", False),
        (255, 120, {"codes_tokenizer": TOY}, "toy", False),
    ],
)
def test_codes_that_cannot_be_the_bases_are_refused_before_anything_is_downloaded(
    highest: int, n_frames: int, fields: dict[str, Any], base: str, is_refused: bool, tmp_path: Path
) -> None:
    manifest, codes = write(tmp_path / "m.jsonl", highest, n_frames, **fields), []

    try:
        check_first_rows(manifest, base)
    except UserError as error:
        codes.append(error.code)

    assert codes == (["tokenizer_mismatch"] if is_refused else [])


def test_codebooks_of_another_tokenizer_of_the_same_size_are_refused_before_training(
    make_params: Callable[..., Params],
    make_context: Callable[[], Any],
    coded_rows: list[dict[str, Any]],
    write_manifest: Callable[[list[dict[str, Any]]], Path],
    tiny_base: Path,
    tmp_path: Path,
) -> None:
    other = make_toy_codec(tmp_path / "other", codebook_size=64, seed=9)
    named = {"own": identify_tokenizer(ModelFolder.at(tiny_base).inner(CODEC), "own")}
    named["other"] = identify_tokenizer(ModelFolder.at(other), "other")

    def manifest_of(name: str) -> Path:
        return write_manifest([{**row, "codes_tokenizer": named[name].model_dump()} for row in coded_rows])

    manifest_of("own")
    trained = work.run(make_params(max_steps=1), make_context())
    params = make_params(max_steps=1, out_dir=str(tmp_path / "second"))
    manifest_of("other")
    context = make_context()
    with pytest.raises(UserError, match="other codebooks") as refused:
        work.run(params, context)

    assert trained.steps == 1
    assert refused.value.code == "tokenizer_mismatch"
    assert "loading the base model" not in " ".join(context.messages)
