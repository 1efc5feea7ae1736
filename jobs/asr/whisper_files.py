"""Checks of a CTranslate2 Whisper's folder, from the names and shapes in ``model.bin``, without loading a weight.

CTranslate2 does not compare shapes with each other: it would read beyond weights that do not fit. stdlib only.
Format: version, name and revision of the architecture, variables (name, shape, number format, data), aliases.
"""

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from jobs.files.reading import open_regular, read_bytes
from jobs.model_folders.contents import ModelFolder, broken

MODEL_BIN = "model.bin"
VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
TOKENIZER = "tokenizer.json"
BINARY_VERSION, ARCHITECTURE, REVISION = 6, "WhisperSpec", 3  # of CTranslate2 3 and 4
ITEM_BYTES = (4, 1, 2, 4, 2, 2)  # float32, int8, int16, int32, float16, bfloat16
WHOLE_NUMBERS = (1, 2, 3)
VOCABULARY_BYTES = 16_000_000
MOST_VARIABLES, MOST_DIMENSIONS, LONGEST_NAME = 20_000, 4, 500
LARGEST_SETTING_BYTES = 16
MOST_HEADS = 64
# Settings of other architectures that change which weights are read; a Whisper has none.
OTHER_ATTENTION = re.compile(r".*(alibi|rotary|relative|multi_query|sliding|head_dim|heads_kv|quantization).*")
LAYER = re.compile(r"(?P<stack>encoder|decoder)/layer_(?P<number>\d{1,3})/")
INPUT_SETTINGS = {"sampling_rate": 16_000, "hop_length": 160, "n_fft": 400, "chunk_length": 30}


@dataclass(frozen=True)
class Variable:
    """Shape and number format (place in ``ITEM_BYTES``) of a variable; ``value`` of a small one."""

    shape: tuple[int, ...]
    dtype: int
    value: bytes = b""


def check_whisper(folder: ModelFolder) -> tuple[dict[str, Path | dict[str, Any]], int]:
    """Check a model's folder; return its files, as ``model_folders.contents.staged`` takes them, and how many tokens.

    Raises:
        UserError: ``model_broken``, ``path_outside_model``, ``file_not_regular``, ``file_too_large``.
    """
    model = folder.find(MODEL_BIN)
    if model is None:
        raise broken(folder.path, f"lacks {MODEL_BIN}")
    try:
        variables = read_variables(model)
        _check_shapes(variables)
        n_tokens = variables["decoder/embeddings/weight"].shape[0]
        texts = folder.find_all((*VOCABULARIES, TOKENIZER))
        _check_vocabulary(texts, n_tokens)
    except (OSError, ValueError) as error:
        raise broken(folder.path, f"cannot be used: {error}") from error
    config = folder.read("config.json") if folder.find("config.json") else {}
    settings = {"feature_size": variables["encoder/conv1/weight"].shape[1], **INPUT_SETTINGS}
    try:
        checked = _check_config(config, n_tokens, _count_layers(variables)["decoder"], _heads(variables, "decoder"))
    except ValueError as error:
        raise broken(folder.path / "config.json", f"cannot be used: {error}") from error
    return {MODEL_BIN: model, "config.json": checked, "preprocessor_config.json": settings, **texts}, n_tokens


def read_variables(path: Path) -> dict[str, Variable]:
    """Read names, shapes and number formats of ``model.bin``, aliases included.

    Raises:
        ValueError: the file is not whole, or of another architecture.
    """
    size = path.stat().st_size
    with open_regular(path) as stream:
        version = _number(stream, "<I")
        if version != BINARY_VERSION:
            raise ValueError(f"{path.name} has version {version}, not {BINARY_VERSION}")
        name, revision = _name(stream), _number(stream, "<I")
        if (name, revision) != (ARCHITECTURE, REVISION):
            raise ValueError(f"{path.name} holds {name!r:.60}, revision {revision}, not {ARCHITECTURE} {REVISION}")
        found: dict[str, Variable] = {}
        for _ in range(_count(stream)):
            name = _name(stream)
            shape = tuple(_number(stream, "<I") for _ in range(_at_most(_number(stream, "<B"), MOST_DIMENSIONS)))
            dtype = _at_most(_number(stream, "<B"), len(ITEM_BYTES) - 1)
            n_bytes = _number(stream, "<I")
            if n_bytes != math.prod(shape) * ITEM_BYTES[dtype] or stream.tell() + n_bytes > size:
                raise ValueError(f"{name!r:.100} is not whole")
            value = stream.read(n_bytes) if n_bytes <= LARGEST_SETTING_BYTES else b""
            stream.seek(n_bytes - len(value), 1)
            if name in found:
                raise ValueError(f"{name!r:.100} occurs twice")
            found[name] = Variable(shape, dtype, value)
        for _ in range(_count(stream)):
            alias, name = _name(stream), _name(stream)
            if alias in found or name not in found:
                raise ValueError(f"{alias!r:.100} stands for nothing")
            found[alias] = found[name]
        if stream.read(1):
            raise ValueError(f"{path.name} goes on after its end")
    return found


def _number(stream: BinaryIO, form: str) -> int:
    content = stream.read(struct.calcsize(form))
    if len(content) < struct.calcsize(form):
        raise ValueError("the file ends too early")
    return int(struct.unpack(form, content)[0])


def _at_most(value: int, most: int) -> int:
    if value > most:
        raise ValueError(f"{value:,} where at most {most:,} is possible")
    return value


def _count(stream: BinaryIO) -> int:
    return _at_most(_number(stream, "<I"), MOST_VARIABLES)


def _name(stream: BinaryIO) -> str:
    length = _at_most(_number(stream, "<H"), LONGEST_NAME)
    content = stream.read(length)
    if len(content) < length or not content.endswith(b"\0"):
        raise ValueError("the file ends too early")
    return content[:-1].decode()


def _check_shapes(variables: Mapping[str, Variable]) -> None:
    """Check that all weights of a Whisper are there and fit together, and that there are no others."""
    for name in ("encoder/conv1/weight", "decoder/embeddings/weight"):
        if name not in variables or not all(variables[name].shape):
            raise ValueError(f"it lacks the weights {name}")
    if len(variables["encoder/conv1/weight"].shape) != 3:
        raise ValueError("encoder/conv1/weight has no possible shape")
    expected = dict(_expected(variables))
    for name, shape in expected.items():
        found = variables.get(name)
        if found is None and not name.endswith("/bias"):
            raise ValueError(f"it lacks the weights {name}")
        if found is not None and found.shape != shape:
            raise ValueError(f"{name} has shape {list(found.shape)}, not {list(shape)}")
    for name, variable in variables.items():
        owner = name.removesuffix("_scale")
        if name.endswith("weight_scale") and owner in expected:
            if variable.shape not in ((), (1,), expected[owner][:1]) or variable.dtype in WHOLE_NUMBERS:
                raise ValueError(f"{name} has shape {list(variable.shape)}")
        elif name not in expected:
            _check_setting(name, variable)
        elif variable.dtype in WHOLE_NUMBERS and f"{name}_scale" not in variables:
            raise ValueError(f"{name} is rounded without a scale")
    for stack in ("encoder", "decoder"):
        heads = _heads(variables, stack)
        if not 0 < heads <= MOST_HEADS or variables["encoder/conv1/weight"].shape[0] % heads:
            raise ValueError(f"{heads} heads are not possible")


def _expected(variables: Mapping[str, Variable]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Iterate over names and shapes of a Whisper of the width, vocabulary and layers that are found."""
    width, n_bands, _ = variables["encoder/conv1/weight"].shape
    n_tokens = variables["decoder/embeddings/weight"].shape[0]
    yield "encoder/conv1/weight", (width, n_bands, 3)
    yield "encoder/conv2/weight", (width, width, 3)
    yield from ((f"encoder/conv{number}/bias", (width,)) for number in (1, 2))
    yield "encoder/position_encodings/encodings", (1500, width)
    yield "decoder/position_encodings/encodings", (448, width)
    yield "decoder/embeddings/weight", (n_tokens, width)
    yield "decoder/projection/weight", (n_tokens, width)
    for stack, n_layers in _count_layers(variables).items():
        yield from _norm(f"{stack}/layer_norm", width)
        for number in range(n_layers):
            layer = f"{stack}/layer_{number}"
            inner = variables.get(f"{layer}/ffn/linear_0/weight", Variable((0,), 0)).shape[:1] or (0,)
            yield from _linear(f"{layer}/ffn/linear_0", inner[0], width)
            yield from _linear(f"{layer}/ffn/linear_1", width, inner[0])
            yield from _linear(f"{layer}/self_attention/linear_0", 3 * width, width)
            yield from _linear(f"{layer}/self_attention/linear_1", width, width)
            yield from _norm(f"{layer}/ffn/layer_norm", width)
            yield from _norm(f"{layer}/self_attention/layer_norm", width)
            if stack == "decoder":
                yield from _linear(f"{layer}/attention/linear_0", width, width)
                yield from _linear(f"{layer}/attention/linear_1", 2 * width, width)
                yield from _linear(f"{layer}/attention/linear_2", width, width)
                yield from _norm(f"{layer}/attention/layer_norm", width)


def _linear(name: str, n_out: int, n_in: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}/weight", (n_out, n_in)
    yield f"{name}/bias", (n_out,)


def _norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}/gamma", (width,)
    yield f"{name}/beta", (width,)


def _count_layers(variables: Mapping[str, Variable]) -> dict[str, int]:
    counts = {"encoder": 0, "decoder": 0}
    for found in filter(None, map(LAYER.match, variables)):
        counts[found["stack"]] = max(counts[found["stack"]], int(found["number"]) + 1)
    return counts


def _heads(variables: Mapping[str, Variable], stack: str) -> int:
    return int.from_bytes(variables.get(f"{stack}/num_heads", Variable((), 0)).value, "little", signed=True)


def _check_setting(name: str, variable: Variable) -> None:
    if len(variable.shape) > 1 or len(variable.value) == 0:
        raise ValueError(f"{name!r:.100} is no part of a Whisper")
    if OTHER_ATTENTION.fullmatch(name) and any(variable.value):
        raise ValueError(f"{name!r:.100} is set, which no Whisper has")


def _check_vocabulary(texts: Mapping[str, Path], n_tokens: int) -> None:
    if not texts.keys() & set(VOCABULARIES):
        raise ValueError("it lacks vocabulary.json")
    for name in texts.keys() & set(VOCABULARIES):
        content = read_bytes(texts[name], VOCABULARY_BYTES)
        try:
            tokens = json.loads(content) if name.endswith(".json") else content.removesuffix(b"\n").split(b"\n")
        except RecursionError as error:
            raise ValueError(f"{name} is nested too deeply") from error
        if not isinstance(tokens, list) or not all(isinstance(token, str | bytes) for token in tokens):
            raise ValueError(f"{name} is no list of tokens")
        if not 0 < len(tokens) <= n_tokens:
            raise ValueError(f"{name} has {len(tokens):,} tokens, the weights {n_tokens:,}")


def _check_config(config: Mapping[str, Any], n_tokens: int, n_layers: int, n_heads: int) -> dict[str, Any]:
    """Return the known entries of ``config.json``."""
    checked: dict[str, Any] = {}
    for name in ("suppress_ids", "suppress_ids_begin", "lang_ids"):
        ids = config.get(name)
        if ids is None:
            continue
        if not isinstance(ids, list) or not all(type(each) is int and -1 <= each < n_tokens for each in ids):
            raise ValueError(f"{name} holds no tokens")
        checked[name] = ids
    heads = config.get("alignment_heads") or []
    if not isinstance(heads, list) or not all(_is_pair(each, n_layers, n_heads) for each in heads):
        raise ValueError("alignment_heads names heads that are not there")
    if heads:
        checked["alignment_heads"] = heads
    return checked


def _is_pair(value: Any, n_layers: int, n_heads: int) -> bool:
    is_pair = isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value)
    return is_pair and 0 <= value[0] < n_layers and 0 <= value[1] < n_heads
