"""Cover pictures: their kind and size, without unpacking them."""

import io
import warnings

from PIL import Image

from jobs.books.blocks import Cover

MAX_COVER_BYTES = 10 << 20
MAX_SIDE = 10_000
_CODECS = {"JPEG": "mjpeg", "PNG": "png"}


def make_cover(content: bytes) -> Cover | None:
    """Return a picture as a cover; None for what is no JPEG or PNG, or has more pixels than a cover."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content), formats=tuple(_CODECS)) as picture:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            kind, (width, height) = str(picture.format), picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return Cover(content, _CODECS[kind], width, height) if max(width, height) <= MAX_SIDE else None
