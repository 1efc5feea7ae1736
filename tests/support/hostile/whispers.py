"""Hostile changes of a CTranslate2 Whisper's folder."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.hostile.voices import edit_json, link_out, make_pipe

HEADER = struct.pack("<I", 6) + struct.pack("<H", 12) + b"WhisperSpec\0"


def _variable(name: str, shape: tuple[int, ...], data: bytes = b"", n_bytes: int | None = None) -> bytes:
    parts = struct.pack("<H", len(name) + 1) + name.encode() + b"\0" + struct.pack("<B", len(shape))
    size = len(data) if n_bytes is None else n_bytes
    return parts + struct.pack(f"<{len(shape)}I", *shape) + struct.pack("<BI", 0, size) + data


def _weights(*parts: bytes, revision: int = 3, count: int | None = None) -> Callable[[Path], object]:
    n_variables = len(parts) if count is None else count
    content = HEADER + struct.pack("<II", revision, n_variables) + b"".join(parts) + struct.pack("<I", 0)
    return lambda folder: (folder / "model.bin").write_bytes(content)


def _patched(name: str, old: bytes, new: bytes) -> Callable[[Path], object]:
    """Replace bytes that follow a variable's name in ``model.bin``."""

    def patch(folder: Path) -> None:
        content = (folder / "model.bin").read_bytes()
        at = content.index(name.encode() + b"\0") + len(name) + 1
        assert content[at : at + len(old)] == old
        (folder / "model.bin").write_bytes(content[:at] + new + content[at + len(old) :])

    return patch


def _cut(share: float) -> Callable[[Path], object]:
    return lambda folder: os.truncate(folder / "model.bin", int((folder / "model.bin").stat().st_size * share))


def _config(**entries: Any) -> Callable[[Path], object]:
    return lambda folder: edit_json(folder / "config.json", **entries)


def _text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def _more_tokens(folder: Path) -> None:
    tokens = json.loads((folder / "vocabulary.json").read_text())
    (folder / "vocabulary.json").write_text(json.dumps([*tokens, *map(str, range(1000))]))


def _token_without_a_row(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"]["zebra"] = 10**6
    (folder / "tokenizer.json").write_text(json.dumps(content))


def _without_controls(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"] = []
    (folder / "tokenizer.json").write_text(json.dumps(content))


DEEP = "[" * 200_000
# What is wrong -> (change of a Whisper's folder, code of the refusal).
HOSTILE_WHISPERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no Whisper": (_text("model.bin", "not a model"), "model_broken"),
    "an empty model": (_text("model.bin", ""), "model_broken"),
    "a model cut in its weights": (_cut(0.5), "model_broken"),
    "a model cut in its aliases": (_cut(0.999), "model_broken"),
    "a model that goes on": (lambda f: os.truncate(f / "model.bin", 10**9), "model_broken"),
    "no variables": (_weights(), "model_broken"),
    "4 billion variables": (_weights(count=2**32 - 1), "model_broken"),
    "another revision": (_weights(revision=99), "model_broken"),
    "a variable of 2**128 numbers": (_weights(_variable("encoder/conv1/weight", (2**32 - 1,) * 4)), "model_broken"),
    "a variable without its data": (_weights(_variable("a", (1000,), n_bytes=4000)), "model_broken"),
    "a variable twice": (_weights(_variable("a", (), b"1234"), _variable("a", (), b"1234")), "model_broken"),
    "a name without an end": (_weights(struct.pack("<H", 65_535)), "model_broken"),
    "a name that is no text": (_weights(struct.pack("<H", 2) + b"\xff\0"), "model_broken"),
    "a wider layer": (
        _patched("decoder/layer_0/attention/linear_0/weight", struct.pack("<BII", 2, 16, 16),
                 struct.pack("<BII", 2, 256, 1)),
        "model_broken",
    ),
    "another length of time": (
        _patched("encoder/position_encodings/encodings", struct.pack("<BII", 2, 1500, 16),
                 struct.pack("<BII", 2, 24_000, 1)),
        "model_broken",
    ),
    "weights of whole numbers": (
        _patched("decoder/layer_0/ffn/linear_0/weight", struct.pack("<BIIB", 2, 32, 16, 0),
                 struct.pack("<BIIB", 2, 32, 16, 3)),
        "model_broken",
    ),
    "no heads": (_patched("encoder/num_heads", struct.pack("<BBIh", 0, 2, 2, 2), struct.pack("<BBIh", 0, 2, 2, 0)),
                 "model_broken"),
    "minus 16 heads": (
        _patched("decoder/num_heads", struct.pack("<BBIh", 0, 2, 2, 2), struct.pack("<BBIh", 0, 2, 2, -16)),
        "model_broken",
    ),
    "another attention": (_patched("decoder/alibi", struct.pack("<BBIB", 0, 1, 1, 0), struct.pack("<BBIB", 0, 1, 1, 1)),
                          "model_broken"),
    "weights that are a link out": (lambda f: link_out(f, "model.bin"), "path_outside_model"),
    "a vocabulary that is a link out": (lambda f: link_out(f, "vocabulary.json"), "path_outside_model"),
    "a tokenizer that is a pipe": (lambda f: make_pipe(f, "tokenizer.json"), "file_not_regular"),
    "no vocabulary": (lambda f: (f / "vocabulary.json").unlink(), "model_broken"),
    "a vocabulary nested deeply": (_text("vocabulary.json", DEEP), "model_broken"),
    "a vocabulary that is an object": (_text("vocabulary.json", '{"a": 1}'), "model_broken"),
    "a vocabulary of numbers": (_text("vocabulary.json", "[1, 2]"), "model_broken"),
    "more tokens than rows": (_more_tokens, "model_broken"),
    "a config nested deeply": (_text("config.json", DEEP), "model_broken"),
    "a config that is a list": (_text("config.json", "[]"), "model_broken"),
    "a token to suppress without a row": (_config(suppress_ids=[10**9]), "model_broken"),
    "tokens to suppress that are a word": (_config(suppress_ids_begin="all"), "model_broken"),
    "a language without a row": (_config(lang_ids=[2**40]), "model_broken"),
    "a head that is not there": (_config(alignment_heads=[[0, 99]]), "model_broken"),
    "a layer that is not there": (_config(alignment_heads=[[-1, 0]]), "model_broken"),
    "heads that are numbers": (_config(alignment_heads=[1, 2]), "model_broken"),
    "a tokenizer that is none": (_text("tokenizer.json", "{}"), "model_broken"),
    "a tokenizer nested deeply": (_text("tokenizer.json", DEEP), "model_broken"),
    "a token without a row": (_token_without_a_row, "model_broken"),
    "a tokenizer without control tokens": (_without_controls, "model_broken"),
}  # fmt: skip


def make_hostile_whisper(kind: str, whisper: Path, folder: Path) -> Path:
    """Copy a Whisper's folder, change it as ``HOSTILE_WHISPERS`` says, and return the copy."""
    shutil.copytree(whisper, folder)
    HOSTILE_WHISPERS[kind][0](folder)
    return folder
