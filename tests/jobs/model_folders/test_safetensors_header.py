"""Headers of safetensors files: whole ones as the library reads them, others refused; never an exception but ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from jobs.errors import UserError
from jobs.model_folders.contents import ModelFolder
from jobs.model_folders.safetensors_header import (
    INDEX,
    MOST_WEIGHTS_BYTES,
    TensorInfo,
    check_tensors,
    read_header,
    read_weights,
)
from tests.support.hostile.safetensors_files import hostile_headers, write_parts, write_weights

DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "U8": np.uint8, "BOOL": np.bool_}
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(lambda n: n != "__metadata__")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F64", "evil"]) | JSON,
        "shape": st.lists(st.integers(-1, 2**64), max_size=9) | JSON,
        "data_offsets": st.lists(st.integers(-1, 2**64), max_size=3) | JSON,
    },
)


@pytest.mark.parametrize("kind", hostile_headers())
def test_a_hostile_header_is_refused(kind: str, tmp_path: Path) -> None:
    header, data, length = hostile_headers()[kind]
    path = tmp_path / "model.safetensors"
    if kind == "no length":
        path.write_bytes(b"123")
    else:
        write_parts(path, header, data, length=length)

    with pytest.raises(UserError) as caught:
        read_header(path)

    assert caught.value.code == "model_broken"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tensors=st.dictionaries(
        NAMES, st.tuples(st.sampled_from(sorted(DTYPES)), st.lists(st.integers(0, 4), max_size=4)), max_size=6
    )
)
def test_a_whole_file_has_the_names_formats_and_shapes_that_were_saved(
    tensors: dict[str, tuple[str, list[int]]], tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    save_file({name: np.zeros(shape, DTYPES[dtype]) for name, (dtype, shape) in tensors.items()}, path)

    assert read_header(path) == {name: TensorInfo(dtype, tuple(shape)) for name, (dtype, shape) in tensors.items()}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.dictionaries(st.text(max_size=5), ENTRY | JSON, max_size=4).map(lambda d: json.dumps(d).encode())
    | st.binary(max_size=60),
    data=st.binary(max_size=40),
    length=st.none() | st.integers(0, 2**64 - 1),
)
def test_any_bytes_are_a_header_or_refused(header: bytes, data: bytes, length: int | None, tmp_path: Path) -> None:
    path = write_parts(tmp_path / "model.safetensors", header, data, length=length)

    code = None
    try:
        found = read_header(path)
        assert all(isinstance(tensor, TensorInfo) for tensor in found.values())
    except UserError as error:
        code = error.code

    assert code in (None, "model_broken")


def test_a_file_of_a_terabyte_is_refused_from_its_header(tmp_path: Path) -> None:
    size = MOST_WEIGHTS_BYTES + 4
    header = json.dumps({"a": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    path = write_parts(tmp_path / "model.safetensors", header)
    with path.open("ab") as stream:
        stream.truncate(8 + len(header) + size)

    with pytest.raises(UserError, match="at most") as caught:
        read_weights(ModelFolder.at(tmp_path))

    assert caught.value.code == "model_broken"


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.safetensors"):
        write_weights(tmp_path / name, {"x": ("F32", [1])})
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}))

    with pytest.raises(UserError, match="x a second time"):
        read_weights(ModelFolder.at(tmp_path))


def test_an_index_is_made_from_the_headers_and_not_from_what_it_says(tmp_path: Path) -> None:
    write_weights(tmp_path / "a.safetensors", {"x": ("F32", [1])})
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"y": "a.safetensors"}}))

    staged = read_weights(ModelFolder.at(tmp_path)).to_stage()

    assert staged == {
        "a.safetensors": tmp_path / "a.safetensors",
        INDEX: {"metadata": {}, "weight_map": {"x": "a.safetensors"}},
    }


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({}, "lacks the weights a"),
        ({"a": TensorInfo("F32", (2,))}, "shape"),
        ({"a": TensorInfo("I8", (1,))}, "floating-point"),
    ],
)
def test_a_tensor_that_is_missing_or_unlike_is_named(found: dict[str, TensorInfo], why: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=why) as caught:
        check_tensors({"a": (1,)}, found, tmp_path)

    assert caught.value.code == "model_broken"
