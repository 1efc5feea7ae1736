"""Files of a published voice, by known names only: what else lies in the voice's folder is not published."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.dataset.manifest import file_inside
from jobs.dataset.takes import Take, find_takes_file, read_takes
from jobs.errors import UserError
from jobs.files.atomic_io import encode
from jobs.files.json_documents import read_object
from jobs.files.reading import open_regular
from jobs.model_folders.contents import CONFIG_BYTES, ModelFolder
from jobs.model_folders.safetensors_header import INDEX, clean_beginning, find_weights
from jobs.publish_voice.engines import ENGINES
from jobs.publish_voice.params import Params
from jobs.publishing.cleaning import clean
from jobs.qwen.model_files import (
    CARD,
    CODEC,
    COPIED_FILES,
    ENCODER_FILE,
    OPTIONAL_TEXT_FILES,
    TOKENIZER_FILES,
    read_card,
)

README = "README.md"
SAMPLES = "samples"
WAV = b"RIFF"
WEIGHTS_SUFFIX = ".safetensors"
LARGEST_SAMPLE_BYTES = 100_000_000
# Documents without paths of this machine; the others are of the base model and published as they are.
CLEANED = (
    *("config.json", "generation_config.json", "tokenizer_config.json", "preprocessor_config.json"),
    *OPTIONAL_TEXT_FILES,
)


@dataclass(frozen=True)
class PublishedFile:
    """A file to publish: a copy of another, or a text made for it.

    Attributes:
        name: path in the folder or repository.
        source: the file that it is a copy of; None: ``content`` is all of it.
        content: in place of as many bytes at the beginning of the source.
    """

    name: str
    source: Path | None = None
    content: bytes = b""

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.source.stat().st_size if self.source is not None else len(self.content)


@dataclass(frozen=True)
class Sample:
    """A take that is published, and its name."""

    name: str
    take: Take


def list_files(params: Params) -> list[PublishedFile]:
    """List all files but the model card.

    Raises:
        UserError: those of the model's folder and of the takes.
    """
    model = ModelFolder.at(Path(params.model))
    omitted = ENGINES[params.engine].omitted
    found = [*_model_files(model, omitted), *_codec_files(model.inner(CODEC))]
    card = read_card(model.path)
    if card is not None:
        found.append(PublishedFile(CARD, content=encode(clean(card))))
    if params.takes is not None:
        folder = find_takes_file(Path(params.takes)).parent
        found += [PublishedFile(one.name, source=_find_sound(folder, one.take.audio)) for one in list_samples(params)]
    return found


def list_samples(params: Params) -> list[Sample]:
    """List takes to publish: one of each text, in their order, none that was cut off."""
    if params.takes is None:
        return []
    chosen: dict[str, Take] = {}
    for take in read_takes(Path(params.takes)):
        if not take.hit_limit and len(chosen) < params.n_samples:
            chosen.setdefault(take.text, take)
    return [Sample(f"{SAMPLES}/{number:02}.wav", take) for number, take in enumerate(chosen.values(), 1)]


def _find_sound(folder: Path, name: str) -> Path:
    """Return the sound of a take: whatever else its list names stays where it is.

    Raises ``UserError``: ``path_outside_dataset``, ``file_not_regular``, ``audio_missing``, ``audio_unreadable``,
    ``file_too_large``.
    """
    path = file_inside(folder, name)
    if not path.exists():
        raise UserError("audio_missing", f"There is no file {path}.", "Give the takes of a synthesize, or n_samples=0.")
    with open_regular(path, limit_bytes=LARGEST_SAMPLE_BYTES) as stream:
        if stream.read(len(WAV)) != WAV:
            hint = "Give the takes of a synthesize, or n_samples=0."
            raise UserError("audio_unreadable", f"{path} is no WAV, and is not published.", hint)
    return path


def _model_files(model: ModelFolder, omitted: tuple[str, ...]) -> Iterator[PublishedFile]:
    files = {**model.find_all(("config.json", *COPIED_FILES, INDEX)), **find_weights(model)}
    encoder = model.find(ENCODER_FILE)
    if encoder is not None and ENCODER_FILE not in omitted:
        files[ENCODER_FILE] = encoder
    yield from _as_published("", files)


def _codec_files(codec: ModelFolder) -> Iterator[PublishedFile]:
    yield from _as_published(f"{CODEC}/", {**codec.find_all((*TOKENIZER_FILES, INDEX)), **find_weights(codec)})


def _as_published(prefix: str, files: Mapping[str, Path]) -> Iterator[PublishedFile]:
    for name, path in sorted(files.items()):
        document = _read_document(path) if name in CLEANED else None
        if document is not None and clean(document) != document:
            yield PublishedFile(f"{prefix}{name}", content=encode(clean(document)))
        else:
            notes_removed = clean_beginning(path) if name.endswith(WEIGHTS_SUFFIX) else b""
            yield PublishedFile(f"{prefix}{name}", source=path, content=notes_removed)


def _read_document(path: Path) -> dict[str, Any]:
    """Read a document of a model. Raises ``UserError``: ``model_broken``, and as ``read_object``."""
    try:
        return read_object(path, CONFIG_BYTES)
    except ValueError as error:
        raise UserError("model_broken", f"{path} cannot be used: {error}.", "Train or fetch it again.") from error
