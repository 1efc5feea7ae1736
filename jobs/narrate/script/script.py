"""Script of a narration: the book, what is read of it in passages, and what is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.asr.model_registry import language_code
from jobs.books.blocks import Book
from jobs.books.book_reader import read_book
from jobs.errors import UserError
from jobs.narrate.params import Params
from jobs.narrate.script.chapters import Section, find_sections
from jobs.narrate.script.passages import Chapter, Passage, make_chapters
from jobs.narrate.script.pronunciation import NOTHING, read_pronunciations

DEFAULT_CODE = "en"


@dataclass(frozen=True)
class Script:
    """A book as it is narrated.

    Attributes:
        chapters: to be read now.
        n_chapters: of the book, with those that are not asked for.
        skipped: parts of the book that are not read.
    """

    book: Book
    title: str
    chapters: tuple[Chapter, ...]
    n_chapters: int
    skipped: tuple[Section, ...]

    @property
    def passages(self) -> list[Passage]:
        """All passages in order."""
        return [passage for chapter in self.chapters for passage in chapter.passages]


def read_script(params: Params, language: str) -> Script:
    """Read the book and divide it.

    Args:
        params: of the narration.
        language: of the voice, which decides where sentences end.

    Raises:
        UserError: ``text_empty``, ``chapter_unknown``, ``pronunciation_invalid``, those of ``read_book``.
    """
    path = Path(params.text)
    book = read_book(path)
    sections = find_sections(book, path.stem, reads_front_matter=params.front_matter == "read")
    pronunciations = read_pronunciations(Path(params.pronunciation)) if params.pronunciation else NOTHING
    code = language_code(language) or DEFAULT_CODE
    chapters = make_chapters(sections, code, pronunciations, has_marks=params.marks)
    if not chapters:
        raise UserError(
            "text_empty", f"Nothing of {path} would be read.", "Give a book with words, or front_matter=read."
        )
    skipped = tuple(section for section in sections if section.why_skipped is not None)
    chosen = choose(chapters, params.chapters)
    return Script(book, params.title or book.title or path.stem, chosen, len(chapters), skipped)


def choose(chapters: Sequence[Chapter], numbers: Sequence[int] | None) -> tuple[Chapter, ...]:
    """Return the chapters of some numbers, or all. Raises ``UserError``: ``chapter_unknown``."""
    wanted = set(numbers or ())
    unknown = sorted(wanted - {chapter.number for chapter in chapters})
    if unknown:
        raise UserError(
            "chapter_unknown",
            f"The book has no chapter {', '.join(map(str, unknown[:10]))}: it has {len(chapters)} that are read.",
            "Call with dry_run to see their numbers.",
        )
    return tuple(chapter for chapter in chapters if numbers is None or chapter.number in wanted)
