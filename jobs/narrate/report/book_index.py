"""``book.json``: chapters and passages of a narration with their times and takes, for pages and programs.

Imports no heavy library: the server reads it.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.dataset.manifest import LONGEST_TEXT
from jobs.errors import UserError
from jobs.files.json_documents import read_object
from jobs.files.reading import resolve_inside
from jobs.narrate.params import MOST_REASONS, TakeKey

INDEX = "book.json"
LARGEST_BYTES = 64_000_000  # a book of 40,000 passages has 20 MB
MOST_CHAPTERS, MOST_PASSAGES = 10_000, 100_000
LongText = Annotated[str, Field(max_length=LONGEST_TEXT)]
Seconds = Annotated[float, Field(ge=0, le=1e8)]


class IndexPart(BaseModel):
    """Base of the parts of the index."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class IndexedPassage(IndexPart):
    """A passage.

    Attributes:
        key: name of its takes in ``passages/``, and in ``takes`` of a call that speaks it again.
        attempt: number of the take that is used.
        said: as the model got it.
        start_s: of its speech in the chapter.
        reasons: why it is doubtful; empty: it passed the checks.
    """

    key: TakeKey
    attempt: int = Field(ge=1, le=1000)
    text: LongText
    said: LongText
    start_s: Seconds
    end_s: Seconds
    rating: float | None = None
    reasons: tuple[LongText, ...] = Field((), max_length=MOST_REASONS)


class IndexedChapter(IndexPart):
    """A chapter; ``start_s`` counts from the start of the book, ``audio`` is its file, empty where there is none."""

    number: int
    title: LongText
    start_s: Seconds
    duration_s: Seconds
    audio: Annotated[str, Field(max_length=40, pattern=r"^([0-9]{3,6}\.(mp3|flac))?$")] = ""
    passages: tuple[IndexedPassage, ...] = Field(max_length=MOST_PASSAGES)

    @property
    def n_doubtful(self) -> int:
        """Number of passages of which no take passed the checks."""
        return sum(bool(passage.reasons) for passage in self.passages)


class BookIndex(IndexPart):
    """A narrated book."""

    title: LongText
    chapters: tuple[IndexedChapter, ...] = Field(max_length=MOST_CHAPTERS)


def read_index(folder: Path) -> BookIndex:
    """Read the index of a narration.

    Raises:
        UserError: ``book_unreadable``: there is none, or it is of another form.
    """
    try:
        path = resolve_inside(folder, INDEX)
        if path is None:
            raise OSError("it is a link out of the folder")
        content: dict[str, Any] = read_object(path, LARGEST_BYTES)
        return BookIndex.model_validate(content)
    except (OSError, ValueError, ValidationError) as error:
        raise UserError(
            "book_unreadable",
            f"{folder} has no readable {INDEX}.",
            "Narrate the book again: takes that are there are used.",
        ) from error
