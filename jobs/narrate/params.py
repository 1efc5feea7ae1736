"""Parameters and result of ``narrate``: a book's text to an audiobook."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from jobs.dataset.manifest import check_step
from jobs.errors import UserError
from jobs.files.reading import check_regular
from jobs.param_types import (
    IngestedManifest,
    InputPath,
    Language,
    ModelRef,
    OutputPath,
    Strict,
    Untrusted,
    rare,
)
from jobs.qwen.model_info import check_request

MOST_REASONS = 50  # why a take is doubtful
TEXT_SUFFIXES = (".txt", ".md", ".markdown", ".epub")
ChapterNumber = Annotated[int, Field(ge=1, le=100_000)]
TakeKey = Annotated[str, Field(pattern="^[0-9a-f]{24}$")]
TakeNumber = Annotated[int, Field(ge=1, le=999)]
Tag = Annotated[str, Field(min_length=1, max_length=300)]


class Params(Strict):
    """Parameters of ``narrate``."""

    model: ModelRef = Field(description="As of synthesize.")
    text: InputPath = Field(description="The book: .txt, .md or .epub.")
    out_dir: OutputPath = Field("", description="Default: TEXT_audiobook beside the text.")
    pronunciation: InputPath | None = Field(None, description="Lines of WORD = SAY AS.")
    list_words: bool = rare(False, description="Write words.txt, the rare words for a pronunciation file, and stop.")
    narrator_manifest: IngestedManifest | None = rare(
        None,
        description="The narrator's dataset: takes must sound like it. Default: like the voice's usual in this book.",
    )
    takes: dict[TakeKey, TakeNumber] = rare(
        default_factory=dict,
        max_length=10_000,
        description="Passages by their key in book.json to the number of the take to use: a further one is spoken.",
    )
    respeak: int = rare(2, ge=0, le=10, description="Further takes of a passage that does not pass the checks.")
    checks: Literal["full", "ends"] = rare(
        "full", description="full: words, speed, voice, sound and end of each take. ends: only that it ended."
    )
    chapters: list[ChapterNumber] | None = rare(
        None, min_length=1, max_length=10_000, description="Only these, by the numbers of dry_run. Default: all."
    )
    front_matter: Literal["skip", "read"] = rare(
        "skip", description="What stands before the first heading, contents, copyright, notes, index."
    )
    title: Tag | None = rare(None, description="Of the audiobook. Default: the book's.")
    author: Tag | None = rare(None, description="Default: the book's.")
    cover: InputPath | None = rare(None, description="JPEG or PNG. Default: the EPUB's.")
    speaker: str | None = rare(None, description="Speaker of the voice. Default: its only one.")
    language: Language | None = rare(None, description="Default: the voice's.")
    instruct: str | None = rare(None, max_length=1000, description="How to speak; a 1.7B voice or VoiceDesign.")
    marks: bool = rare(
        False,
        description="Of the text: [speaker: NAME] and [instruct: WORDS] say who speaks on in a paragraph, and how.",
    )
    ref_audio: InputPath | None = rare(None, description="Base model only: the clip to clone.")
    ref_text: str | None = rare(None, description="Base model only: what ref_audio says.")
    chapter_audio: Literal["mp3", "flac", "none"] = rare("mp3", description="A file for each chapter.")
    subtitles: bool = rare(True, description="book.srt and book.vtt.")
    read_along: bool = rare(False, description="book.epub: text and audio, lit as spoken. Needs chapter_audio=mp3.")
    loudness_lufs: float = rare(-19.0, ge=-30, le=-14, description="Of each chapter (EBU R 128).")
    bitrate_kbps: int = rare(64, ge=32, le=128, description="Of the AAC in the m4b.")
    temperature: float = rare(0.9, gt=0, le=2)
    top_k: int = rare(50, ge=1, le=3000)
    top_p: float = rare(1.0, gt=0, le=1)
    repetition_penalty: float = rare(1.05, ge=1, le=2, description="Of codebook 0.")
    seed: int = rare(0, ge=0, description="The same seed and text give the same audio on the same machine.")
    longest_passage_s: float | None = rare(
        None, gt=0, le=120, description="Takes are cut there. Default: three times what the narrator needs."
    )

    @model_validator(mode="after")
    def _check_read_along(self) -> Self:
        if self.read_along and self.chapter_audio != "mp3":
            raise ValueError(f"read_along puts MP3s into book.epub, and chapter_audio is {self.chapter_audio}")
        return self


class Result(Strict):
    """Result of ``narrate``."""

    folder: str
    words: str = Field(description="words.txt: rare words, to be completed as a pronunciation file.")
    audiobook: str | None = Field(None, description="book.m4b; null with list_words.")
    read_along: str | None = Field(None, description="book.epub, where read_along was asked for.")
    report: str | None = Field(None, description="report.html: chapters, waveforms, and what to listen to.")
    title: Untrusted | None = None
    n_chapters: int
    n_passages: int
    n_spoken: int = Field(0, description="Takes that this job made; the others were there.")
    n_doubtful: int = Field(0, description="Passages of which no take passed the checks; the best is used.")
    doubtful: list[Untrusted] = Field(default_factory=list, description="The first of them.")
    duration_s: float = 0.0


def check(params: Params) -> None:
    """Check text, pronunciation file, cover, model and reference before the job is queued.

    Raises:
        UserError: ``text_unreadable``, ``text_missing``, ``file_not_regular``, ``ref_audio_missing``,
            ``audio_missing``, those of the model and of ``check_step``.
    """
    if Path(params.text).suffix.lower() not in TEXT_SUFFIXES:
        raise UserError(
            "text_unreadable",
            f"{params.text} is none of {', '.join(TEXT_SUFFIXES)}.",
            "Give the book as plain text, Markdown or EPUB.",
        )
    for name in ("text", "pronunciation", "cover"):
        path = getattr(params, name)
        if path is not None and not Path(path).exists():
            raise UserError("text_missing", f"There is no file {path}.", f"Check {name}.")
        if path is not None:
            check_regular(Path(path))
    if params.narrator_manifest is not None:
        check_step(Path(params.narrator_manifest), "ingested")
    if params.ref_audio is None and params.ref_text is not None:
        raise UserError("ref_audio_missing", "ref_text is the transcript of ref_audio, and none is given.", "Give it.")
    if params.ref_audio is not None and not Path(params.ref_audio).is_file():
        raise UserError("audio_missing", f"There is no file {params.ref_audio}.", "Check ref_audio.")
    check_request(
        params.model,
        speaker=params.speaker,
        language=params.language,
        instruct=params.instruct,
        has_reference=params.ref_audio is not None,
    )
