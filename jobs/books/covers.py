"""Cover pictures: their kind and size, without unpacking them."""

import io
import warnings
from pathlib import Path

from PIL import Image

from jobs.books.blocks import Cover
from jobs.errors import UserError
from jobs.files.reading import read_bytes

MAX_COVER_BYTES = 10 << 20
MAX_SIDE = 10_000
_CODECS = {"JPEG": "mjpeg", "MPO": "mjpeg", "PNG": "png"}  # MPO: a JPEG with further pictures behind it


def make_cover(content: bytes) -> Cover | None:
    """Return a picture as a cover; None for what is no JPEG or PNG, or has more pixels than a cover."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as picture:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            kind, (width, height) = str(picture.format), picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return Cover(content, _CODECS[kind], width, height) if max(width, height) <= MAX_SIDE else None


def read_cover(path: Path) -> Cover:
    """Read a cover from a file. Raises ``UserError``: ``cover_unusable``, ``file_too_large``."""
    cover = make_cover(read_bytes(path, MAX_COVER_BYTES))
    if cover is None:
        raise UserError("cover_unusable", f"{path} is no JPEG or PNG.", "Convert it, or leave cover out.")
    return cover
