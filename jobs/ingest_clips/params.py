"""Parameters and result of ``ingest_clips``: a dataset of curated clips and their texts."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field

from jobs.dataset.manifest import LONGEST_TEXT, Row, read_numbered_rows, unreadable_lines
from jobs.dataset.quality.thresholds import EXPORT, QUALITY, VALIDATION_SHARE, Layout, read_thresholds
from jobs.errors import UserError
from jobs.files.reading import LONGEST_PATH
from jobs.param_types import InputPath, Language, OutputPath, Strict, Untrusted, Value, rare

LIST_SUFFIXES = (".csv", ".tsv", ".txt", ".list")
LINE_SUFFIXES = (*LIST_SUFFIXES, ".jsonl")
MAX_NAMED = 5


class TranscriptLine(Row):
    """A line of the transcripts file."""

    audio_file: str = Field(
        min_length=1, validation_alias=AliasChoices("audio_file", "audio", "audio_filepath", "wav", "file_name")
    )
    """``audio`` in Qwen's own train_raw.jsonl, ``audio_filepath`` in NeMo's manifests."""
    text: str = Field(min_length=1, validation_alias=AliasChoices("text", "transcript", "transcription", "sentence"))
    speaker: str | None = None
    language: str | None = None
    instruct: str | None = Field(None, max_length=LONGEST_TEXT)
    ref_audio: str | None = Field(None, max_length=LONGEST_PATH)
    """Clip for the speaker embedding, as in upstream's format; relative to the transcripts or to ``audio_dir``."""


class Params(Strict):
    """Parameters of ``ingest_clips``."""

    audio_dir: InputPath | None = Field(None, description="Folder of the clips.")
    transcripts: InputPath = Field(
        description="JSONL: audio_file, text; or an LJSpeech metadata.csv, a Hugging Face dataset folder, lhotse cuts."
    )
    out_dir: OutputPath = Field("", description="Default: datasets/<voice> in the home.")
    voice: str = Field("speaker", pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="Speaker of clips without one.")
    language: Language = rare("english", description="Language of clips without one.")
    min_clip_s: float = rare(0.5, ge=0.1, le=10, description="Shorter clips are rejected, seconds.")
    max_clip_s: float = rare(30.0, ge=1, le=60, description="Longer clips are rejected, seconds.")
    on_error: Literal["fail", "skip"] = rare(
        "fail", description="Lines that cannot be read: refuse all, or skip these and count them."
    )
    validation_share: float = rare(0.05, ge=0, le=0.5, description=VALIDATION_SHARE)
    export: list[Layout] = rare(default_factory=list, description=EXPORT)
    quality: dict[str, Value] = rare(default_factory=dict, description=QUALITY)


class Result(Strict):
    """Result of ``ingest_clips``."""

    dataset: str
    manifest: str = Field(description="train_manifest.jsonl, for align.")
    n_clips: int
    n_rejected: int
    n_skipped: int = Field(0, description="Lines that could not be read; see on_error.")
    kept_s: float
    rejected_by_reason: dict[str, int]
    n_validation: int = 0
    report: str = Field("", description="report.html: reasons, metrics, clips to listen to.")
    summary: Untrusted = ""


def check(params: Params) -> None:
    """Read every transcript line, so that a bad one is found before the job starts."""
    read_thresholds(params.quality)
    transcripts = Path(params.transcripts)
    if params.audio_dir is not None and not Path(params.audio_dir).is_dir():
        raise UserError("folder_missing", f"There is no folder {params.audio_dir}.", "Check audio_dir.")
    if not transcripts.exists():
        raise UserError("manifest_missing", f"There is no {transcripts}.", "Check transcripts.")
    if layout_of(transcripts) != "jsonl":
        return
    faults: list[tuple[int, str]] = []
    n_lines = sum(1 for _ in read_numbered_rows(transcripts, TranscriptLine, faults))
    if faults and (params.on_error == "fail" or n_lines == 0):
        skip = f", or give on_error=skip to go on with the other {n_lines}" if n_lines else ""
        raise unreadable_lines(transcripts, faults, skip)
    if n_lines == 0:
        raise UserError("manifest_empty", f"{transcripts} has no lines.", "Write one JSON object per line.")


def layout_of(transcripts: Path) -> Layout | Literal["jsonl"]:
    """Determine the layout of a path by its name and the files in the folder.

    Raises:
        UserError: ``layout_unknown`` for a folder in no known layout.
    """
    if transcripts.is_dir():
        if (transcripts / "metadata.csv").is_file() and (transcripts / "wavs").is_dir():
            return "ljspeech"
        if (transcripts / "state.json").is_file() or (transcripts / "dataset_dict.json").is_file():
            return "huggingface"
        if any(transcripts.glob("*cuts*.jsonl*")):
            return "lhotse"
        files = sorted(path.name for path in transcripts.iterdir() if path.suffix in LINE_SUFFIXES)
        raise UserError(
            "layout_unknown",
            f"{transcripts} is not a dataset folder of a known layout."
            + (f" Give its list of clips itself: {', '.join(files[:MAX_NAMED])}." if files else ""),
            "Known are LJSpeech (metadata.csv and wavs/), Hugging Face (save_to_disk) and lhotse (cuts.jsonl.gz).",
        )
    if transcripts.suffix in LIST_SUFFIXES:
        return "ljspeech"
    return "lhotse" if transcripts.suffix == ".gz" or "cuts" in transcripts.name else "jsonl"
