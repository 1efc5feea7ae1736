"""Reader of a book's text: plain text, EPUB or subtitles."""

import zipfile
from pathlib import Path

from jobs.files.reading import check_regular
from jobs.ingest_audiobook.params import SUBTITLE_SUFFIXES
from jobs.ingest_audiobook.text.epub import read_epub
from jobs.ingest_audiobook.text.subtitles import read_subtitles
from jobs.ingest_audiobook.text.text_decoding import BookText, check_script, decode_text_file


def read_book_text(path: Path) -> BookText:
    """Read .txt, .epub, .srt or .vtt; an archive is recognised by its content.

    Raises ``UserError``: ``text_unreadable``, ``text_empty``, ``text_protected``, ``text_right_to_left``,
    ``file_not_regular``, ``file_too_large``.
    """
    check_regular(path)
    if zipfile.is_zipfile(path):
        found = BookText(read_epub(path))
    elif path.suffix.lower() in SUBTITLE_SUFFIXES:
        found = BookText("\n".join(segment.text for segment in read_subtitles(path)))
    else:
        found = decode_text_file(path)
    check_script(found.text, path)
    return found
