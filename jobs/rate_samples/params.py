"""Parameters and result of ``rate_samples``: an automatic rating of takes, 1 to 5 with reasons."""

from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from jobs.dataset.manifest import Clip, Row, check_step, read_rows
from jobs.dataset.takes import check_takes_file, find_takes_file, read_takes
from jobs.errors import UserError
from jobs.param_types import IngestedManifest, InputPath, ModelRef, OutputPath, Strict, TakesPath, Untrusted, rare
from jobs.qwen.model_info import describe_model
from jobs.settings import Settings
from jobs.speaker.narrator_profile import MIN_PROFILE_CLIPS


class Params(Strict):
    """Parameters of ``rate_samples``."""

    takes: TakesPath = Field(description="takes.jsonl of synthesize, its folder or job_id.")
    narrator_manifest: IngestedManifest = Field(
        description="train_manifest.jsonl (or a later one) of the narrator: at least 5 clips to compare with."
    )
    out: OutputPath = rare("", description="Ratings file to write. Default: ratings.json beside the takes.")
    measures: OutputPath = rare(
        "",
        description="Cache of measurements by content: runs that share it measure narrator and anchors once. "
        "Default: rating_measures.jsonl beside the ratings.",
    )
    max_narrator_clips: int = rare(20, ge=5, le=200, description="Narrator's clips measured for the profile.")
    anchor_clips: int = rare(
        6,
        ge=0,
        le=50,
        description="Clips rated with the takes: of the narrator (held out of the profile) and of another speaker.",
    )
    other_speaker: InputPath | None = rare(
        None,
        description="Another speaker for the lower bound: a manifest, a recording or a folder of them. Default: the "
        "manifest's other speakers, else a bundled synthetic voice.",
    )
    zero_shot_takes: InputPath | None = rare(
        None, description="takes.jsonl of the base model's clone of the same texts: the result without training."
    )
    judges: Literal["auto", "offline"] = rare(
        "auto",
        description="auto: a WavLM speaker model and a Whisper if the Hugging Face cache has them (nothing is "
        "downloaded). offline: only the bundled models.",
    )
    speaker_model: ModelRef | None = rare(
        None, description="WavLMForXVector that compares voices: folder or cached hub id."
    )
    whisper_model: ModelRef | None = rare(
        None, description="faster-whisper model that checks the words: folder or cached hub id."
    )


class Rating(Row):
    """One rated take. Parts are 0 to 1 (null: could not be measured); measures keep their own units."""

    audio: str
    text: str
    take: int = 1
    narrator: str = ""
    model: str = Field("", description="Voice that spoke it.")
    rating: float | None = Field(
        ge=1, le=5, description="At most 4.5 unless a person gave the take more. Null: too short to judge."
    )
    uncapped: float | None = Field(ge=1, le=5, description="The same without that cap, to rank checkpoints.")
    person: float | None = Field(None, description="Mean of people's scores of this take.")
    n_person: int = 0
    calibrated: float | None = Field(
        None, description="By a model of people's opinions over the instruments, if it beats the rating."
    )
    reasons: list[str] = Field(
        description="Sentences with value and limit, worst first, and checks that were not possible."
    )
    faults: list[str] = Field(default_factory=list, description="Codes of the faults that lowered the rating.")
    intelligibility: float | None = None
    voice: float | None = None
    sound: float | None = None
    timing: float | None = None
    measures: dict[str, float | None] = Field(default_factory=dict)
    heard_words: str | None = Field(None, description="Transcript of the recogniser.")
    word_changes: list[str] = Field(
        default_factory=list, description="Words skipped, repeated, added or misread, the surest first; some by doubt."
    )
    marked_text: str | None = Field(None, description="The text with changes that are beyond doubt in place.")
    instruct: str | None = Field(None, description="How it was to be spoken.")

    @property
    def phrase(self) -> str:
        """Text, and how it was to be spoken: takes of one text with another instruct are no repetitions of it."""
        return f"{self.text} [{self.instruct}]" if self.instruct else self.text


class Interval(Strict):
    """A mean over texts (takes of a text averaged first) with its bootstrap's 95 % interval, seeded."""

    mean: float
    low: float
    high: float


class Mean(Interval):
    """The interval with its numbers; of one take, whose spread is unknown, both ends equal the mean."""

    n_takes: int
    n_texts: int


class Summary(Mean):
    """Mean of the batch: uncapped, and as shown."""

    shown: Interval = Field(description="Of the ratings with the cap.")


class VoiceMean(Mean):
    """Uncapped ratings of one of several voices."""

    model: Untrusted


class AnchorSummary(Interval):
    """Uncapped ratings of an anchor."""

    n: int
    note: str


class Drift(Strict):
    """Average distance of a batch from the narrator; null with fewer than 10 measured takes."""

    n_takes: int
    speaking_rate: float | None = Field(description="Ratio to the narrator's.")
    pitch_st: float | None = Field(description="Semitones above the narrator's.")
    sim: float | None = Field(description="SIM minus the narrator's own at the same length.")
    flags: list[str] = Field(description="Averages outside of their limits.")


class Result(Strict):
    """Result of ``rate_samples``."""

    ratings: str = Field(description="ratings.json: every take with its parts and reasons.")
    report: str = Field(description="report.html: takes and anchors with sound.")
    evaluation: str = Field(description="evaluation.json, as the original skill has it.")
    n_takes: int
    n_texts: int
    n_too_short: int = Field(0, description="Takes without a rating, left out of the means: too short to judge.")
    mean_rating: float = Field(description="Automatic, over texts; at most 4.5 where no person gave more.")
    mean_uncapped: float = Field(description="The mean without that cap, to compare checkpoints over the same texts.")
    low: float = Field(description="Lower end of the 95 % interval of mean_uncapped.")
    high: float
    worst_rating: float
    best_take: Untrusted
    narrator: float | None = Field(None, description="Rating of the narrator's held-out clips: upper bound.")
    other_speaker: float | None = Field(None, description="Rating of another speaker: lower bound.")
    zero_shot: float | None = Field(None, description="Rating of the clone without training.")
    voices: list[VoiceMean] = Field(
        default_factory=list, description="Of takes by several voices: the best by rating first."
    )
    verdict: list[str] = Field(default_factory=list, description="Conclusions in sentences.")
    judges: list[str] = Field(default_factory=list, description="Models used for the rating.")
    common_reasons: dict[str, int] = Field(
        description="Codes of faults that lowered ratings, with the number of takes, commonest first."
    )
    n_text_heard: int = Field(description="Takes whose right text scored above every other text of the batch.")
    n_text_compared: int = Field(description="Takes for which there was another English text to compare with.")
    plot: str = Field(description="ratings.png: every take with its parts.")
    caveat: str = Field(description="Limits of the automatic rating.")


def suggest(params: Params, given: Collection[str], settings: Settings) -> dict[str, Any]:
    """Name the ratings file beside the takes, so that what is stored says where the job writes."""
    takes_file = find_takes_file(Path(params.takes))
    return {} if params.out else {"out": str(takes_file.with_name("ratings.json"))}


def _check_untrained(takes: Path) -> None:
    """Refuse takes of a trained voice in the place of those without training."""
    for take in read_takes(find_takes_file(takes))[:1]:
        if Path(take.model).is_absolute() and describe_model(Path(take.model)).kind == "custom_voice":
            raise UserError(
                "anchor_trained",
                f"zero_shot_takes={str(takes)!r} were spoken by {take.model}, which is a trained voice.",
                "Give takes of the base model (synthesize with ref_audio), or leave zero_shot_takes out.",
            )


def check(params: Params) -> None:
    """Check that takes, manifest and anchors exist.

    Raises:
        UserError: ``takes_missing``, ``anchor_missing``, ``anchors_needed``, those of ``check_step``.
    """
    check_takes_file(Path(params.takes))
    check_step(Path(params.narrator_manifest), "ingested")
    if params.zero_shot_takes is not None and Path(params.zero_shot_takes).exists():
        _check_untrained(Path(params.zero_shot_takes))
    for name in ("other_speaker", "zero_shot_takes"):
        given = getattr(params, name)
        if given is not None and not Path(given).exists():
            raise UserError("anchor_missing", f"{name}={given!r} does not exist.", f"Check {name}, or leave it out.")
    if params.speaker_model is not None and params.anchor_clips == 0:
        raise UserError(
            "anchors_needed",
            "Limits of another speaker encoder are fitted with another speaker's clips, and anchor_clips is 0.",
            "Keep anchor_clips at its default.",
        )
    n_clips = sum(1 for _ in islice(read_rows(Path(params.narrator_manifest), Clip), MIN_PROFILE_CLIPS))
    if n_clips < MIN_PROFILE_CLIPS:
        raise UserError(
            "narrator_clips_too_few",
            f"{params.narrator_manifest} has {n_clips} clips; a comparison with them takes {MIN_PROFILE_CLIPS}.",
            "Ingest more of the recording; or let a person rate the takes: rate_samples with scores.",
        )
