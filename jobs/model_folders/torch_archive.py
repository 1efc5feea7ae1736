"""Files of ``torch.save`` that anybody may have made, read without running what they hold.

``weights_only`` builds tensors and plain values only. The archive is looked at first: an entry that is packed could
unfold to any size.
"""

import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from jobs.errors import UserError
from jobs.files.reading import open_regular

MOST_FILES = 200_000
PICKLE_BYTES = 64_000_000


def load_archive(path: Path, *, device: str = "cpu") -> Any:
    """Load a file of ``torch.save``; on the device ``meta`` shapes only.

    Raises:
        UserError: ``file_not_regular``.
        ValueError: it is no such file; the message says why.
        OSError: it is missing or may not be read.
    """
    import torch

    try:
        with open_regular(path) as stream:
            _check_archive(stream, path.stat().st_size)
        content = torch.load(path, map_location=device, weights_only=True, mmap=device == "meta" or None)
        _check_tensors(content)
        return content
    except (UserError, OSError):
        raise
    except Exception as error:  # torch names no set of errors for damaged files
        first_line = (str(error).splitlines() or [""])[0]
        raise ValueError(f"{type(error).__name__}: {first_line[:300]}") from error


def _check_archive(stream: BinaryIO, size: int) -> None:
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise ValueError(f"the archive holds {len(entries):,} files")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError("the archive is compressed")
        if entry.filename.endswith(".pkl") and entry.file_size > PICKLE_BYTES:
            raise ValueError("the archive's list of tensors is too long")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("the archive's files overlap")


def _check_tensors(content: Any) -> None:
    """Refuse tensors that repeat their data: a file of a kilobyte could stand for gigabytes."""
    import torch

    left = [content]
    while left:
        value = left.pop()
        if isinstance(value, torch.Tensor):
            if value.numel() * value.element_size() > value.untyped_storage().nbytes():
                raise ValueError("a tensor is larger than its data")
        elif isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list | tuple):
            left += value
