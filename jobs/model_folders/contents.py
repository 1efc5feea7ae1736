"""Files of a model's folder by known names, and a private folder with nothing but them for libraries to load."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.json_documents import read_object
from jobs.files.reading import check_regular, find_root

CONFIG_BYTES = 4_000_000
TEXT_BYTES = 64_000_000  # a tokenizer; those of released models have at most 12 MB
MOST_LAYERS = 256
MOST_ENTRIES = 10_000
LARGEST_NUMBER = 2**32
COUNTS = re.compile(r"(^|_)(layers|quantizers|codebooks|code_groups)$")
# Keys that make transformers import code, fetch files or read others than the known ones. Our own loading sets what a
# key of this list would set.
NOT_READ = re.compile(
    r"_(?!frame_rate$).*|.*_files?|.*name_or_path|auto_map|chat_template|from_slow|attn_implementation|pruned_heads"
    r"|(quantization|compression)_config|custom_\w+|trust_\w+|base_model_\w+_plan"
)


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a model's files.

    Attributes:
        root: real folder in which every file must lie, see ``find_root``.
    """

    path: Path
    root: Path

    @classmethod
    def at(cls, path: Path) -> "ModelFolder":
        """Take a folder as a model's; it may itself be a link."""
        return cls(Path(os.path.realpath(path)), find_root(path))

    def inner(self, name: str) -> "ModelFolder":
        """Return a folder within, with the same root."""
        return ModelFolder(self.path / name, self.root)

    def find(self, name: str) -> Path | None:
        """Return the real path of a file; None when it is missing.

        Raises:
            UserError: ``path_outside_model``, ``file_not_regular``.
        """
        real = Path(os.path.realpath(self.path / name))  # not Path.resolve: it raises on a loop of links
        if not real.is_relative_to(self.root):
            raise UserError(
                "path_outside_model",
                f"{self.path / name} leads out of the model's folder.",
                "Replace the link by the file itself.",
            )
        try:
            check_regular(real)
        except OSError:
            return None
        return real

    def find_all(self, names: tuple[str, ...], limit_bytes: int = TEXT_BYTES) -> dict[str, Path]:
        """Return the real paths of those files that are there, each of at most ``limit_bytes``.

        Raises:
            UserError: as ``find``, and ``file_too_large``.
        """
        found = {name: path for name in names if (path := self.find(name)) is not None}
        for name, path in found.items():
            if path.stat().st_size > limit_bytes:
                raise UserError(
                    "file_too_large",
                    f"{self.path / name} has {path.stat().st_size:,} bytes; at most {limit_bytes:,} are read.",
                    "Download the model again.",
                )
        return found

    def read(self, name: str) -> dict[str, Any]:
        """Read a JSON document without the keys that libraries must not act on.

        Raises:
            UserError: as ``find``, and ``file_too_large``, ``model_broken``.
        """
        path = self.find(name)
        try:
            if path is None:
                raise ValueError("it is missing")
            return inert(read_object(path, CONFIG_BYTES))
        except (OSError, ValueError) as error:
            raise broken(self.path / name, f"cannot be read: {error}") from error


def inert(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document and its inner configurations without the keys of ``NOT_READ``."""
    return {
        key: inert(value) if key.endswith("_config") and isinstance(value, dict) else value
        for key, value in document.items()
        if not NOT_READ.fullmatch(key)
    }


def check_sizes(config: Mapping[str, Any], where: Path) -> None:
    """Check that a configuration has no size that no model has. Shapes are compared with the weights' headers.

    Raises:
        UserError: ``model_broken``, naming the entry.
    """
    left: list[tuple[str, Any]] = list(config.items())
    while left:
        name, value = left.pop()
        if isinstance(value, dict | list):
            if len(value) > MOST_ENTRIES:
                raise broken(where, f"has {len(value):,} entries in {name}")
            left += value.items() if isinstance(value, dict) else [(name, each) for each in value]
        elif isinstance(value, int | float):
            most = MOST_LAYERS if COUNTS.search(name) else LARGEST_NUMBER
            if abs(value) > most:
                raise broken(where, f"has {name} {value:.3g}; at most {most:,} is possible")


def broken(where: Path, why: str) -> UserError:
    """Build the error of a model that is damaged or does not fit together."""
    return UserError("model_broken", f"{where} {why}.", "Download or export the model again.")


@contextmanager
def staged(files: Mapping[str, Path | dict[str, Any]]) -> Iterator[Path]:
    """Give a private folder with links to checked files, and with documents as they were checked."""
    with tempfile.TemporaryDirectory(prefix="tts-train-model-") as made:
        for name, content in files.items():
            target = Path(made, name)
            if isinstance(content, Path):
                target.symlink_to(content)
            else:
                target.write_text(json.dumps(content), encoding="utf-8")
        yield Path(made)
