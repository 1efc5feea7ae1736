"""Parameters and result of ``ingest_audiobook``: an audiobook becomes clips, their manifest, and rejections."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from jobs.asr.model_registry import ComputeType
from jobs.dataset.quality.thresholds import EXPORT, QUALITY, VALIDATION_SHARE, Layout, read_thresholds
from jobs.errors import UserError
from jobs.param_types import InputPath, Language, ModelRef, OutputPath, Strict, Untrusted, Value, rare


class Params(Strict):
    """Parameters of ``ingest_audiobook``."""

    audio: InputPath = Field(description="m4b, mp3, flac …, or a folder of them.")
    voice: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="The narrator's name, lower case.")
    out_dir: OutputPath = Field("", description="Default: datasets/<voice> in the home.")
    text: InputPath | None = Field(
        None, description="txt, epub, srt or vtt; for a folder: txt, epub, or a folder of srt, vtt."
    )
    segments_jsonl: InputPath | None = rare(
        None, description="Segments that exist already: JSONL with start, end (seconds) and text. Skips transcription."
    )
    transcript_file: InputPath | None = rare(
        None,
        description="transcript.jsonl of an ingest, edited: what changed is cut again, in the same out_dir or anew.",
    )
    outside_text: Literal["reject", "asr"] = rare(
        "reject",
        description="Where the narrator leaves the text: reject, or asr: keep what Whisper hears, origin asr.",
    )
    transcript: Literal["auto", "book", "whisper", "none"] = Field(
        "auto",
        description="auto: the given text or segments, else Whisper. whisper with text: the book's words, found in "
        "what Whisper hears, as is every text in another language than English.",
    )
    language: Language = Field("english", description="")
    whisper_model: ModelRef = rare("large-v3", description="faster-whisper model name or directory.")
    whisper_device: Literal["auto", "cpu", "cuda"] = rare("auto", description="auto: the GPU where there is one.")
    whisper_compute_type: ComputeType = rare(
        "auto", description="Number format; auto: float16 on the GPU, int8 on the CPU."
    )
    whisper_batch_size: int = rare(
        0,
        ge=0,
        le=64,
        description="Clips per batch of Whisper; 0: 16 on the GPU, 4 on the CPU. Lower it when out of memory.",
    )
    min_clip_s: float = rare(2.0, ge=0.3, le=10, description="Shorter clips are rejected, seconds.")
    target_clip_s: float = rare(8.0, ge=0.5, le=20, description="Wanted length: whole sentences are joined, seconds.")
    max_clip_s: float = rare(
        15.0, ge=2, le=30, description="Longest clip, seconds; a longer sentence is cut in pauses."
    )
    max_gap_s: float = rare(1.5, ge=0, le=3, description="Longest pause inside a clip, seconds.")
    pad_s: float = rare(
        0.15, ge=0, le=0.5, description="Silence kept on both sides of speech, seconds; less in a short pause."
    )
    chapters: str = rare("", description='Only these, e.g. "2-5,8".')
    start_s: float | None = rare(None, ge=0, description="Only from here.")
    end_s: float | None = rare(None, gt=0, description="Only to here.")
    workers: int = rare(0, ge=0, le=64, description="Processes; 0: one per core. The result is the same.")
    validation_chapters: list[int] = rare(
        default_factory=list,
        description="Chapters (1 is the first) whose clips are held out for validation. Default: validation_share.",
    )
    validation_share: float = rare(0.05, ge=0, le=0.5, description=VALIDATION_SHARE)
    export: list[Layout] = rare(default_factory=list, description=EXPORT)
    quality: dict[str, Value] = rare(default_factory=dict, description=QUALITY)
    max_duration_s: float | None = rare(None, gt=0, description="Only the first seconds, for a trial.")


class Result(Strict):
    """Result of ``ingest_audiobook``."""

    dataset: str = Field(description="Dataset folder.")
    manifest: str = Field(description="train_manifest.jsonl, for align.")
    n_clips: int
    n_rejected: int = Field(description="Segments of speech.")
    n_silences: int = Field(0, description="Spans without speech, which count as rejected seconds too.")
    recording_s: float
    kept_s: float
    rejected_s: float
    rejected_by_reason_s: dict[str, float]
    n_words_placed: int | None = Field(None, description="Words of the book found in the audio.")
    n_words_book: int | None = Field(None, description="Words of the book's text.")
    title: Untrusted | None = None
    n_chapters: int = 0
    n_validation: int = 0
    report: str = Field("", description="report.html: chapters, reasons, metrics, clips to listen to.")
    summary: Untrusted = ""


SUBTITLE_SUFFIXES = (".srt", ".vtt")
TEXT_SUFFIXES = (".txt", ".md", ".epub", ".html", ".htm", *SUBTITLE_SUFFIXES)
TARGET_OF_MAX = 0.6  # of a clip, where only the longest was chosen
_USES_WHISPER = ("whisper", "heard_book")


def check(params: Params) -> None:
    """Refuse what can be refused without decoding: missing or empty files, contradictions."""
    read_thresholds(params.quality)
    audio = Path(params.audio)
    if not audio.exists():
        raise UserError("audio_missing", f"There is no file {audio}.", "Check the path of the recording.")
    if audio.is_file() and audio.stat().st_size == 0:
        raise UserError("audio_empty", f"{audio} has 0 bytes.", "Copy or download the recording again.")
    if audio.suffix.lower() in TEXT_SUFFIXES:
        raise UserError(
            "audio_unreadable",
            f"{audio} is a text, not a recording.",
            "Give the recording as audio=PATH and this file as text=PATH.",
        )
    if params.segments_jsonl is not None and params.transcript not in ("auto", "whisper"):
        raise UserError(
            "transcript_conflict",
            f"segments_jsonl has its own text, but transcript is {params.transcript!r}.",
            "Omit one of them.",
        )
    if params.transcript_file is not None:
        _check_transcript_file(params, params.transcript_file)
    if params.outside_text == "asr" and transcript_source(params) != "heard_book":
        raise UserError(
            "transcript_conflict",
            "outside_text=asr needs a text and Whisper, which hears where the narrator leaves it.",
            "Give text=PATH and transcript=whisper, or omit outside_text.",
        )
    if params.transcript == "book" and params.text is None:
        raise UserError("text_missing", "transcript=book needs the book's text.", "Give text=PATH of a .txt file.")
    takes_folder = audio.is_dir() and transcript_source(params) == "segments"
    if params.text is not None and not _is_there(params.text, takes_folder):
        raise UserError("text_missing", f"There is no file {params.text}.", "Check the path of the book's text.")
    if params.segments_jsonl is not None and not _is_there(params.segments_jsonl, takes_folder):
        raise UserError("segments_missing", f"There is no file {params.segments_jsonl}.", "Check the path.")
    given = Path(params.segments_jsonl or params.text or "")
    if takes_folder and not given.is_dir():
        raise UserError(
            "segments_unclear",
            f"Segments have the times of one recording, but {audio} is a folder.",
            "Give a folder with one segments file for each recording, of the same name (01.mp3: 01.srt), or use only "
            "the words of the subtitles: transcript=book.",
        )
    if params.start_s is not None and params.end_s is not None and params.start_s >= params.end_s:
        raise UserError("selection_empty", f"start_s={params.start_s} is not before end_s={params.end_s}.", "")
    if params.target_clip_s > params.max_clip_s or params.min_clip_s > params.max_clip_s:
        target = min(params.target_clip_s, round(TARGET_OF_MAX * params.max_clip_s, 1))
        raise UserError(
            "clip_bounds",
            f"min_clip_s ({params.min_clip_s:g}) and target_clip_s ({params.target_clip_s:g}) must not exceed "
            f"max_clip_s ({params.max_clip_s:g}).",
            f"Give all three, such as min_clip_s={min(params.min_clip_s, target / 2):g} target_clip_s={target:g} "
            f"max_clip_s={params.max_clip_s:g}. Defaults: 2, 8 and 15 s.",
        )


def _check_transcript_file(params: Params, path: str) -> None:
    given = [name for name in ("text", "segments_jsonl") if getattr(params, name) is not None]
    if given or params.transcript != "auto":
        raise UserError(
            "transcript_conflict",
            f"transcript_file has its own text, but {' and '.join(given) or 'transcript'} is given, too.",
            "Omit all but one of them.",
        )
    if not Path(path).is_file():
        raise UserError("segments_missing", f"There is no file {path}.", "Check the path of transcript.jsonl.")


def _is_there(text: str, takes_folder: bool) -> bool:
    return Path(text).is_file() or (takes_folder and Path(text).is_dir())


def transcript_source(params: Params) -> Literal["file", "segments", "book", "heard_book", "whisper", "none"]:
    """Return the source of the text that ``transcript`` and the given files select.

    ``heard_book``: the book's words, found in what Whisper hears. The offline recogniser of ``book`` is of English.
    """
    if params.transcript_file is not None:
        return "file"
    if params.segments_jsonl is not None and params.transcript in ("auto", "whisper"):
        return "segments"
    has_book = params.text is not None and not Path(params.text).is_dir()
    if params.transcript == "whisper" and has_book:
        return "heard_book"
    if params.transcript in ("whisper", "none"):
        return params.transcript
    is_timed = (params.text or "").lower().endswith(SUBTITLE_SUFFIXES)
    if params.transcript == "auto" and (is_timed or (params.text is not None and not has_book)):
        return "segments"
    if params.transcript == "auto" and params.text is None:
        return "whisper"
    return "book" if params.language in ("english", "auto") else "heard_book"


def hears_segments(params: Params) -> bool:
    """Return whether Whisper compares given segments with what is said: where it is asked for, or a model is named."""
    is_named = params.whisper_model != Params.model_fields["whisper_model"].default
    return transcript_source(params) == "segments" and (is_named or params.transcript == "whisper")


def uses_whisper(params: Params) -> bool:
    """Return whether Whisper hears the recording."""
    return transcript_source(params) in _USES_WHISPER or hears_segments(params)
