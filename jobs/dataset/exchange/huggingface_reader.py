"""Reader of ``Dataset.save_to_disk``: Arrow files beside a ``state.json``, alone or one folder a split.

The files are read by pyarrow alone, without compression, dictionaries or extension types: each of their columns is then
a part of the file, and a small file cannot become a large table.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import BaseModel, Field, ValidationError

from jobs.dataset.exchange.foreign_clips import MOST_CLIPS, AudioFolders, ForeignClip, leads_out, made_name, unreadable
from jobs.dataset.manifest import RejectionError
from jobs.files.atomic_io import write_bytes
from jobs.files.folders import make_folder
from jobs.files.reading import check_regular, read_bytes, resolve_inside
from jobs.param_types import first_fault

LAYOUT = "huggingface"
LARGEST_JSON_BYTES = 10_000_000
STATE, SPLITS = "state.json", "dataset_dict.json"
TEXT = ("text", "normalized_text", "transcription", "sentence")
SPEAKER = ("speaker", "speaker_id")
LANGUAGE = ("language",)
AUDIO_FILE = ("audio_file", "path", "audio")


ModelT = TypeVar("ModelT", bound=BaseModel)


class _DataFile(BaseModel):
    filename: str


class _State(BaseModel):
    data_files: list[_DataFile] = Field(alias="_data_files", fail_fast=True)


class _Splits(BaseModel):
    splits: list[str] = Field(fail_fast=True)


def read(source: Path, scratch: Path, audio_dir: Path | None) -> Iterator[ForeignClip]:
    """Read the rows of all splits; sound within the table is written to ``scratch``."""
    folders = AudioFolders.of(source, audio_dir)
    number = 0
    for path in _arrow_files(source):
        for batch in _batches(path, MOST_CLIPS - number):
            texts, speakers, languages = (_first_of(batch, names) for names in (TEXT, SPEAKER, LANGUAGE))
            sounds, files = _sound_column(batch), _first_of(batch, AUDIO_FILE)
            for row in range(batch.num_rows):
                number += 1
                sound = sounds[row].as_py() if sounds is not None else None
                name, found = _sound(sound or {"path": files[row]}, folders, scratch, number)
                yield ForeignClip(number, name, found, texts[row] or "", speakers[row], languages[row])


def _sound(
    sound: dict[str, Any], folders: AudioFolders, scratch: Path, number: int
) -> tuple[str, Path | RejectionError]:
    name, content = str(sound.get("path") or ""), sound.get("bytes")
    if not content:
        return folders.take(name)
    path = scratch / made_name(number, Path(name).stem, Path(name).suffix.lower())
    if not path.is_file() or path.stat().st_size != len(content):
        make_folder(path.parent)
        write_bytes(path, content, sync=False)
    return path.name, path


def _arrow_files(source: Path) -> Iterator[Path]:
    splits = [""]
    if (source / SPLITS).exists():
        splits = _read_json(source, SPLITS, _Splits).splits
    for split in splits:
        for file in _read_json(source, str(Path(split, STATE)), _State).data_files:
            yield _inside(source, str(Path(split, file.filename)))


def _read_json(source: Path, name: str, model: type[ModelT]) -> ModelT:
    path = _inside(source, name)
    try:
        return model.model_validate_json(read_bytes(path, LARGEST_JSON_BYTES))
    except ValidationError as error:
        raise unreadable(path, LAYOUT, first_fault(error)) from error
    except OSError as error:
        raise unreadable(path, LAYOUT, str(error.strerror)) from error


def _inside(source: Path, name: str) -> Path:
    path = resolve_inside(source, name)
    if path is None:
        raise leads_out(source, name)
    return path


def _batches(path: Path, most_rows: int) -> Iterator[pa.RecordBatch]:
    """Read the known columns of an Arrow stream, batch by batch, checked; the file is mapped, not loaded."""
    try:
        check_regular(path)
        with pa.memory_map(str(path)) as mapped:
            messages = pa.ipc.MessageReader.open_stream(mapped)
            schema = pa.ipc.read_schema(messages.read_next_message())
            known = _known_columns(path, schema)
            for message in messages:
                if message.type != "record batch" or _is_compressed(message.metadata.to_pybytes()):
                    raise unreadable(path, LAYOUT, "it holds dictionaries or compressed tables")
                batch = pa.ipc.read_record_batch(message, schema).select(known)
                batch.validate(full=True)
                most_rows -= batch.num_rows
                if most_rows < 0:
                    raise unreadable(path, LAYOUT, f"it has more than {MOST_CLIPS:,} rows")
                yield batch
    except (pa.ArrowException, struct.error, StopIteration, ValueError, LookupError, OSError) as error:
        raise unreadable(path, LAYOUT, str(error) or "it is empty") from error


def _known_columns(path: Path, schema: pa.Schema) -> list[str]:
    """Return the names of the columns that are read; a name that is there twice is not."""
    wanted = [name for name in (*TEXT, *SPEAKER, *LANGUAGE, *AUDIO_FILE) if _is_plain(schema, name)]
    sounds = [field.name for field in schema if _is_sound(field.type)][:1]
    if not sounds and not any(name in wanted for name in AUDIO_FILE):
        raise unreadable(path, LAYOUT, "it has no column of audio or of audio files")
    return [*sounds, *wanted]


def _is_plain(schema: pa.Schema, name: str) -> bool:
    places = schema.get_all_field_indices(name)
    if len(places) != 1:
        return False
    kind = schema.field(places[0]).type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind))


def _is_sound(kind: pa.DataType) -> bool:
    """Return True for what ``datasets`` makes of an ``Audio`` column: a struct of bytes and path."""
    if not pa.types.is_struct(kind) or {field.name for field in kind} != {"bytes", "path"} or kind.num_fields != 2:
        return False
    content, name = kind.field("bytes").type, kind.field("path").type
    is_binary = pa.types.is_binary(content) or pa.types.is_large_binary(content)
    return bool(is_binary and (pa.types.is_string(name) or pa.types.is_large_string(name)))


def _sound_column(batch: pa.RecordBatch) -> pa.StructArray | None:
    return next((column for column in batch.columns if pa.types.is_struct(column.type)), None)


def _first_of(batch: pa.RecordBatch, names: tuple[str, ...]) -> list[str | None]:
    """Return for each row the first of several columns that has a value."""
    found: list[str | None] = [None] * batch.num_rows
    for name in names:
        if name not in batch.schema.names or pa.types.is_struct(batch.column(name).type):
            continue
        for row, value in enumerate(batch.column(name).to_pylist()):
            if found[row] is None and value not in (None, ""):
                found[row] = str(value)
    return found


def _is_compressed(metadata: bytes) -> bool:
    """Return True for a record batch with compressed buffers.

    Source: Apache Arrow, format/Message.fbs: field 2 of Message is ``header``, field 3 of RecordBatch ``compression``.
    """
    message = _flatbuffer_field(metadata, struct.unpack_from("<I", metadata)[0], 2)
    if message is None:
        raise ValueError("a message has no header")
    batch = message + struct.unpack_from("<I", metadata, message)[0]
    return _flatbuffer_field(metadata, batch, 3) is not None


def _flatbuffer_field(content: bytes, table: int, number: int) -> int | None:
    """Return the place of a table's field, None if it is left out."""
    vtable = table - struct.unpack_from("<i", content, table)[0]
    size = struct.unpack_from("<H", content, vtable)[0]
    place = 4 + 2 * number
    offset = struct.unpack_from("<H", content, vtable + place)[0] if place + 2 <= size else 0
    return table + offset if offset else None
