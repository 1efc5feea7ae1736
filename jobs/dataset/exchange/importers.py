"""Clips taken in from LJSpeech, Hugging Face and lhotse: each becomes a line with a file, a text and a speaker.

The files are read by their formats, with bounds, and no library opens what a dataset names: those of other tools run
commands and fetch addresses.
"""

from collections.abc import Iterator
from pathlib import Path

from jobs.dataset.exchange import huggingface_reader, lhotse_reader, ljspeech_reader
from jobs.dataset.exchange.foreign_clips import MOST_CLIPS, ForeignClip, unreadable
from jobs.dataset.quality.thresholds import Layout


def take(layout: Layout, source: Path, scratch: Path, audio_dir: Path | None = None) -> Iterator[ForeignClip]:
    """Read another tool's dataset; audio without its own file (bytes, parts of recordings) gets one in ``scratch``.

    Audio must lie in the dataset's folder or in ``audio_dir``.

    Raises ``UserError``: ``dataset_unreadable``, ``path_outside_dataset``, ``file_not_regular``, ``line_too_long``.
    """
    read = {
        "ljspeech": ljspeech_reader.read,
        "huggingface": huggingface_reader.read,
        "lhotse": lhotse_reader.read,
    }[layout]
    for n_taken, clip in enumerate(read(source, scratch, audio_dir), 1):
        if n_taken > MOST_CLIPS:
            raise unreadable(source, layout, f"it has more than {MOST_CLIPS:,} clips")
        yield clip
