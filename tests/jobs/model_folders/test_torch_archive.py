"""Files of ``torch.save`` are read as they were saved, and refused when a tensor is larger than its data."""

from __future__ import annotations

import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from jobs.model_folders.torch_archive import load_archive
from tests.support.hostile.torch_archives import save_with_list, shorten_storages

DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_tensor_that_repeats_its_data_is_refused(tmp_path: Path, device: str) -> None:
    path = tmp_path / "state.pt"
    torch.save({"run": {"lr": [torch.zeros(1).expand(3_000_000_000)]}}, path)

    assert path.stat().st_size < 3000
    with pytest.raises(ValueError, match="repeats its data"):
        load_archive(path, device=device)


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("n_bytes", [0, 64, 63_996, 64_004])
def test_a_storage_of_another_length_than_its_list_says_is_refused(tmp_path: Path, device: str, n_bytes: int) -> None:
    """torch 2.8 takes the list's word, and the tensor reaches into foreign memory."""
    torch.save({"x": torch.zeros(16_000)}, tmp_path / "whole.pt")
    shorten_storages(tmp_path / "whole.pt", tmp_path / "short.pt", n_bytes)

    with pytest.raises(ValueError, match="longer or shorter than its data"):
        load_archive(tmp_path / "short.pt", device=device)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(1, b"K\x04", b"K\x01"), (0, b"K\x02", b"K\x04"), (5, b"K\x00", b"K\x01"), (0, b"J\xff\xff\xff\xff", b"K\x01")],
)
def test_a_view_that_leaves_its_storage_is_refused(tmp_path: Path, offset: int, shape: bytes, strides: bytes) -> None:
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    view = storage + b"K" + bytes([offset]) + shape + b"\x85" + strides + b"\x85" + b"\x89N"
    save_with_list(tmp_path / "state.pt", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"tR.")

    with pytest.raises(ValueError, match=r"larger than its data|outside of its data|damaged"):
        load_archive(tmp_path / "state.pt")


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((1000,), (0,), 999), ((2, 500), (499, 1), 0), ((500, 2), (1, 1), 0), ((2, 2, 2), (4, 1, 3), 0)],
)
def test_a_view_whose_numbers_share_places_is_refused(
    tmp_path: Path, device: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    """A fused optimizer takes as many numbers from the view's start on as it has, beyond the storage."""
    torch.save(torch.zeros(1000).as_strided(shape, strides, offset), tmp_path / "state.pt")

    with pytest.raises(ValueError, match="repeats its data"):
        load_archive(tmp_path / "state.pt", device=device)


def test_gaps_and_dimensions_of_one_are_no_repetition(tmp_path: Path) -> None:
    views = [torch.arange(24.0).view(2, 3, 4)[:, :1, ::2], torch.arange(3.0)[None].expand(1, 3), torch.zeros(0, 5).T]
    torch.save(views, tmp_path / "state.pt")

    found = load_archive(tmp_path / "state.pt")

    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, views, strict=True))


def _storage_of(kind: bytes) -> bytes:
    """Return a storage of a class."""
    return b"(X\x07\x00\x00\x00storage" + kind + b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"


def _view_of(n_dimensions: int, size: bytes) -> bytes:
    """Return a tensor of as many dimensions, all of one size."""
    sizes = b"(" + size + b"q\x05" + b"h\x05" * (n_dimensions - 1) + b"t"
    parts = _storage_of(b"ctorch\nFloatStorage\n") + b"K\x00" + sizes + sizes.replace(b"q\x05", b"q\x06") + b"\x89N"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + parts + b"tR."


def _doubling_tuples(n: int) -> bytes:
    """Return tuples that each hold the former one twice, and are far longer when they are written out."""
    return b"K\x01\x85q\x00" + b"".join(b"0h%ch%c\x86q%c" % (i, i, i + 1) for i in range(n))


def _colliding(n: int) -> bytes:
    """Return a dictionary with integer keys of one hash."""
    keys = [(i * (2**61 - 1)).to_bytes(10, "little") for i in range(1, n + 1)]
    return b"\x80\x02}(" + b"".join(b"\x8a\x0a" + key + b"N" for key in keys) + b"u."


def _doubling(n: int) -> bytes:
    """Return lists that each hold the former one twice."""
    return b"\x80\x02]q\x00" + b"".join(b"]q%c(h%ch%ce" % (i + 1, i, i) for i in range(n)) + b"."


LISTS: dict[str, bytes] = {
    "a list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "a dictionary that holds itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    "keys of one hash": _colliding(20_000),
    "keys that are tuples": b"\x80\x02}K\x01\x85Ns.",
    "lists that double": _doubling(60),
    "lists within lists": b"\x80\x02" + b"]" * 2_000 + b"a" * 1_999 + b".",
    "an unknown format, long when it is written out": b"\x80\x02" + _storage_of(_doubling_tuples(60)) + b".",
    "an integer of 2,000 bits": b"\x80\x02\x8a\xfa" + b"\x01" * 250 + b".",
    "a shape of 100,000 large numbers": _view_of(100_000, b"\x8a\x08" + b"\x7f" * 8),
    "dictionaries without end": b"\x80\x02ccollections\nOrderedDict\nq\x01](" + b"h\x01)R" * 400_000 + b"e.",
    "a function": b"\x80\x02cos\nmkdir\nX\x04\x00\x00\x00evil\x85R.",
    "a function of torch": b"\x80\x02ctorch._utils\n_rebuild_sparse_tensor\n)R.",
    "attributes": b"\x80\x02]}b.",
    "no end": b"\x80\x02]",
    "nothing on the stack": b"\x80\x02u.",
    "an unknown instruction": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00N.",
    "a text longer than the file": b"\x80\x02X\xff\xff\xff\x7fabc.",
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_no_weights_need_is_refused_at_once(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_with_list(tmp_path / "state.pt", LISTS[kind])
    began = time.process_time()

    with pytest.raises(ValueError):
        load_archive(tmp_path / "state.pt")

    assert time.process_time() - began < 2
    assert not (tmp_path / "evil").exists()


def _packed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"N.")


def _two_lists(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"N.")
        archive.writestr("b/data.pkl", b"N.")


def _flipped(path: Path) -> None:
    torch.save({"x": torch.arange(1000.0)}, path)
    content = path.read_bytes()
    place = content.index(torch.arange(1000.0).numpy().tobytes()[:400])
    path.write_bytes(content[: place + 100] + b"\xff" + content[place + 101 :])


def _twin(path: Path) -> None:
    """A list beside the one that is read, of a name that is the same for torch's own reader."""
    torch.save({"x": torch.zeros(3)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        folder = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{folder}/DATA.PKL", b"cos\nmkdir\nX\x04\x00\x00\x00evil\x85R.")


@pytest.mark.parametrize("write", [_packed, _two_lists, _flipped, _twin])
def test_an_archive_that_torch_did_not_write_so_is_refused(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "state.pt")

    with pytest.raises(ValueError, match=r"compressed|no list|CRC|one name"):
        load_archive(tmp_path / "state.pt")


def test_views_and_plain_values_are_loaded(tmp_path: Path) -> None:
    whole = torch.arange(12.0)
    torch.save({"a": whole[2:5], "b": whole.view(3, 4).T, "step": 7}, tmp_path / "state.pt")

    found = load_archive(tmp_path / "state.pt")

    assert found["step"] == 7
    assert torch.equal(found["a"], whole[2:5])
    assert torch.equal(found["b"], whole.view(3, 4).T)
    assert found["a"].untyped_storage().data_ptr() == found["b"].untyped_storage().data_ptr()


def test_what_is_read_is_what_torch_reads(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    layer = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    plain = {"none": None, "yes": True, "n": 1 - 2**63, "x": 0.1, "t": (1, (2, "é"), ()), "rows": [[1, 2.5]] * 3, 7: []}
    tensors = {str(dtype): torch.arange(5).to(dtype) for dtype in DTYPES} | {"empty": torch.zeros(0, 3)}
    scalar = torch.tensor(3.0)
    parts = {"layer": layer.state_dict(), "own": list(layer.parameters()), "plain": plain, "s": scalar}
    torch.save(parts | tensors, path)

    found, expected = load_archive(path), torch.load(path, weights_only=True)
    shapes = load_archive(path, device="meta")

    assert found.keys() == expected.keys() == shapes.keys()
    assert found["plain"] == expected["plain"] == plain
    assert type(found["layer"]) is OrderedDict
    pairs = [(found[name], expected[name], shapes[name]) for name in (*tensors, "s")]
    pairs += [(found["layer"][name], expected["layer"][name], shapes["layer"][name]) for name in expected["layer"]]
    pairs += list(zip(found["own"], expected["own"], shapes["own"], strict=True))
    assert len(pairs) == 11 + 1 + 7 + 4
    for mine, theirs, shape in pairs:
        assert mine.dtype == theirs.dtype == shape.dtype
        assert mine.stride() == theirs.stride() == shape.stride()
        assert torch.equal(mine, theirs)
        assert (shape.device.type, shape.shape) == ("meta", mine.shape)
