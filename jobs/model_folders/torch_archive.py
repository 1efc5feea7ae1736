"""Files of ``torch.save`` that anybody may have made, read without running what they hold.

``torch.load`` is not used: of a storage it believes the length that the list says (torch 2.8), and a file that is
shorter leaves a tensor that reaches into foreign memory.
"""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.files.reading import open_regular
from jobs.model_folders.torch_pickle import StorageEntry, TensorEntry, read_list

MOST_FILES = 200_000
PICKLE_BYTES = 64_000_000
CHUNK_BYTES = 16_000_000
LIST = "data.pkl"


def load_archive(path: Path, *, device: str = "cpu") -> Any:
    """Load a file of ``torch.save``; on the device ``meta`` shapes only.

    Raises:
        UserError: ``file_not_regular``.
        ValueError: it is no such file; the message says why.
        OSError: it is missing or may not be read.
    """
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            records = _find_records(archive, os.fstat(stream.fileno()).st_size)
            make = _shapes_only if device == "meta" else _make_reader(archive, records)
            return read_list(archive.read(records[LIST]), lambda entry: make(_checked(entry, records)))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise ValueError(f"{type(error).__name__}: {str(error)[:300]}") from error


def _find_records(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an archive of ``size`` bytes, by their names in its one folder."""
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise ValueError(f"the archive holds {len(entries):,} files")
    lists = [entry.filename for entry in entries if entry.filename.partition("/")[2] == LIST]
    if len(lists) != 1:
        raise ValueError("the archive has no list of tensors")
    folder = lists[0].removesuffix(LIST)
    records = {entry.filename.removeprefix(folder): entry for entry in entries}
    if len({name.lower() for name in records}) < len(entries):  # torch's own reader takes no notice of case
        raise ValueError("two of the archive's files have one name")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError("the archive is compressed")
    if records[LIST].file_size > PICKLE_BYTES:
        raise ValueError("the archive's list of tensors is too long")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("the archive's files overlap")
    if "byteorder" in records and archive.read(records["byteorder"])[:10] != b"little":
        raise ValueError("the archive's numbers are not little-endian")
    return records


def _checked(entry: TensorEntry, records: dict[str, zipfile.ZipInfo]) -> TensorEntry:
    """Return a tensor whose storage is as long as its file."""
    record = records.get(f"data/{entry.storage.key}")
    if record is None or record.file_size != entry.storage.n_bytes:
        raise ValueError("a storage is longer or shorter than its data")
    return entry


def _shapes_only(entry: TensorEntry) -> Any:
    import torch

    dtype = getattr(torch, entry.storage.dtype)
    return torch.empty_strided(entry.shape, entry.strides, dtype=dtype, device="meta")


def _make_reader(archive: zipfile.ZipFile, records: dict[str, zipfile.ZipInfo]) -> Callable[[TensorEntry], Any]:
    """Return a function that builds tensors; those of one storage share its memory, as when they were saved."""
    import torch

    held: dict[str, tuple[StorageEntry, Any]] = {}

    def make(entry: TensorEntry) -> Any:
        storage = entry.storage
        if storage.key not in held:
            data = torch.empty(storage.n_bytes, dtype=torch.uint8)
            _fill(data.numpy().data, archive, records[f"data/{storage.key}"])
            held[storage.key] = (storage, data.view(getattr(torch, storage.dtype)))
        known, items = held[storage.key]
        if known != storage:
            raise ValueError("two tensors read the same data as different numbers")
        return items.as_strided(entry.shape, entry.strides, entry.offset)

    return make


def _fill(memory: memoryview, archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> None:
    """Read a file of the archive into memory of its length; its checksum is compared."""
    place = 0
    with archive.open(record) as stream:
        while part := stream.read(CHUNK_BYTES):
            memory[place : place + len(part)] = part
            place += len(part)
    if place != len(memory):
        raise ValueError("the archive is cut off")
