"""Hostile Hugging Face datasets: they name tables and sounds outside their folder, grow, or break."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.support.hostile.datasets.sound_files import write_wav

AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write_arrow(path: Path, columns: dict[str, pa.Array], **options: Any) -> None:
    """Write an Arrow stream, as ``save_to_disk`` does."""
    schema = pa.schema([(name, column.type) for name, column in columns.items()])
    path.parent.mkdir(parents=True, exist_ok=True)
    how = pa.ipc.IpcWriteOptions(**options)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema, options=how) as stream:
        stream.write_batch(pa.record_batch(list(columns.values()), schema=schema))


def write_huggingface(
    folder: Path, columns: dict[str, pa.Array], *, file: str = "data-00000.arrow", **options: Any
) -> Path:
    """Write a saved Hugging Face dataset whose state names ``file``; the table lies in ``data-00000.arrow``."""
    dataset = folder / "dataset"
    write_arrow(dataset / "data-00000.arrow", columns, **options)
    write_wav(dataset / "a.wav")
    (dataset / "state.json").write_text(json.dumps({"_data_files": [{"filename": file}], "_split": None}))
    (dataset / "dataset_info.json").write_text("{}")
    return dataset


def rows(*files: str) -> dict[str, pa.Array]:
    """Return a table of audio files and texts."""
    return {"audio_file": pa.array(files), "text": pa.array([f"Some words {number}." for number in range(len(files))])}


def huggingface_outside_table(folder: Path) -> Path:
    """``state.json`` names a table outside by ``..``."""
    dataset = write_huggingface(folder, rows("a.wav"), file="../outside.arrow")
    write_arrow(folder / "outside.arrow", rows("a.wav"))
    return dataset


def huggingface_absolute_table(folder: Path) -> Path:
    """``state.json`` names a table outside by an absolute path."""
    write_arrow(folder / "outside.arrow", rows("a.wav"))
    return write_huggingface(folder, rows("a.wav"), file=str(folder / "outside.arrow"))


def huggingface_linked_table(folder: Path) -> Path:
    """The table is a link to one outside."""
    dataset = write_huggingface(folder, rows("a.wav"))
    (dataset / "data-00000.arrow").rename(folder / "outside.arrow")
    (dataset / "data-00000.arrow").symlink_to("../outside.arrow")
    return dataset


def huggingface_outside_audio(folder: Path) -> Path:
    """Rows that name sounds outside, in columns ``audio_file`` and ``path``."""
    outside = write_wav(folder / "outside.wav")
    return write_huggingface(folder, rows(str(outside), "../outside.wav"))


def huggingface_outside_sound(folder: Path) -> Path:
    """An ``Audio`` column without bytes, whose path is outside."""
    outside = str(write_wav(folder / "outside.wav"))
    sound = pa.array([{"bytes": None, "path": outside}, {"bytes": None, "path": "../outside.wav"}], AUDIO)
    return write_huggingface(folder, {"audio": sound, "text": pa.array(["Some words.", "Other words."])})


def huggingface_outside_split(folder: Path) -> Path:
    """``dataset_dict.json`` names a split outside."""
    dataset = write_huggingface(folder, rows("a.wav"))
    write_huggingface(folder / "other", rows("a.wav"))
    (dataset / "dataset_dict.json").write_text(json.dumps({"splits": ["../other/dataset"]}))
    return dataset


def huggingface_pipe(folder: Path) -> Path:
    """The table is a named pipe."""
    dataset = write_huggingface(folder, rows("a.wav"))
    (dataset / "data-00000.arrow").unlink()
    os.mkfifo(dataset / "data-00000.arrow")
    return dataset


def huggingface_compressed(folder: Path) -> Path:
    """40 MB of text in 4 KB."""
    texts = pa.array(["a" * 20_000_000] * 2)
    return write_huggingface(folder, {"audio_file": pa.array(["a.wav"] * 2), "text": texts}, compression="zstd")


def huggingface_deep_state(folder: Path) -> Path:
    """A ``state.json`` of 100,000 lists."""
    dataset = write_huggingface(folder, rows("a.wav"))
    (dataset / "state.json").write_text('{"_data_files": ' + "[" * 100_000 + "]" * 100_000 + "}")
    return dataset


def huggingface_broken_offsets(folder: Path) -> Path:
    """A table whose texts end far behind its end."""
    dataset = write_huggingface(folder, rows("a.wav", "a.wav", "a.wav"))
    path = dataset / "data-00000.arrow"
    ends = struct.pack("<iiii", 0, 13, 26, 39)
    content = path.read_bytes()
    assert content.count(ends) == 1
    path.write_bytes(content.replace(ends, struct.pack("<iiii", 0, 13, 26, 2**31 - 1)))
    return dataset


def huggingface_many_rows(folder: Path) -> Path:
    """Ten million rows of empty names."""
    return write_huggingface(folder, {"audio_file": pa.array([""] * 10_000_000), "text": pa.nulls(10_000_000)})
