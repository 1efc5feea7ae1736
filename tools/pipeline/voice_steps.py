"""Arguments of ``make_voice``, and the jobs that follow from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from jobs.align.spec import KIND as ALIGN
from jobs.convert_codes.params import DEFAULT_TOKENIZER
from jobs.convert_codes.spec import KIND as CONVERT_CODES
from jobs.errors import UserError
from jobs.ingest_audiobook.spec import KIND as INGEST_AUDIOBOOK
from jobs.ingest_clips.spec import KIND as INGEST_CLIPS
from jobs.param_types import AUTO, InputPath, Language, ModelRef, OutputPath, Value, rare
from jobs.rate_samples.spec import KIND as RATE_SAMPLES
from jobs.runner.job_kind import JobKind
from jobs.synthesize.params import EVALUATION_TEXTS, SpokenText
from jobs.synthesize.spec import KIND as SYNTHESIZE
from jobs.training.params import CARD_MEMORY, DEFAULT_BASE
from jobs.training.spec import KIND as TRAINING
from tools.core.tool_types import StartArgs
from tools.inputs.references import dataset_files


class MakeVoiceArgs(StartArgs):
    """Arguments of ``make_voice``; ``step_arguments`` holds those of single steps that have none here."""

    audio: InputPath = Field(description="Recording; with transcripts: folder of clips.")
    voice: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="Name, lower case.")
    text: InputPath | None = Field(None, description="The book's text (.txt), else Whisper.")
    transcripts: InputPath | None = Field(None, description="As in ingest_clips.")
    out_dir: OutputPath = Field("", description="Default: voices/<voice> in the home.")
    language: Language = rare("english")
    validation_chapters: list[int] = rare(default_factory=list, description="Chapters held out.")
    base_model: ModelRef = Field(DEFAULT_BASE, description="As in start_training.")
    method: Literal["full", "lora"] = "full"
    epochs: int | None = rare(None, ge=1, le=1000)
    max_steps: int | None = rare(None, ge=1)
    batch_size: int = rare(4, ge=1, le=256)
    lr: float | None = rare(None, gt=0, le=0.1)
    gpu_memory_gb: float | None = CARD_MEMORY
    step_arguments: dict[str, Value] = rare(
        default_factory=dict,
        description="Other parameters of the steps' tools, as TOOL.PARAMETER: align.aligner, "
        "ingest_audiobook.whisper_model, start_training.lora_r, ingest_audiobook.quality.NAME.",
    )
    texts: list[SpokenText] = Field(
        default=list(EVALUATION_TEXTS), min_length=1, max_length=50, description="Sentences to speak."
    )


@dataclass(frozen=True)
class Step:
    """A job to submit, which waits for the one before it."""

    kind: JobKind
    arguments: dict[str, Any]


def make_steps(args: MakeVoiceArgs, out: Path) -> list[Step]:
    """Return the jobs in their order, each reading what the one before writes.

    Raises:
        UserError: ``bad_arguments``: no step takes one of ``step_arguments``.
    """
    return _with_step_arguments(_steps(args, out), args)


def _steps(args: MakeVoiceArgs, out: Path) -> list[Step]:
    dataset = out / "dataset"
    ingested, aligned, coded = (str(dataset / dataset_files()[held][0]) for held in ("ingested", "aligned", "coded"))
    training, samples = out / "training", out / "samples"
    common = {"out_dir": str(dataset), "voice": args.voice, "language": args.language}
    if args.transcripts is not None:
        ingest = Step(INGEST_CLIPS, {"audio_dir": args.audio, "transcripts": args.transcripts, **common})
    else:
        book = {"audio": args.audio, "text": args.text, "validation_chapters": args.validation_chapters}
        ingest = Step(INGEST_AUDIOBOOK, {**book, **common})
    trained: dict[str, Any] = {
        name: getattr(args, name)
        for name in ("base_model", "method", "epochs", "max_steps", "batch_size", "lr", "gpu_memory_gb")
        if name in args.model_fields_set  # what was not given, the GPU's memory may choose
    }
    return [
        ingest,
        Step(ALIGN, {"manifest": ingested, "out": aligned}),
        Step(CONVERT_CODES, {"manifest": aligned, "out": coded, "tokenizer": _tokenizer_of(args)}),
        Step(TRAINING, {"manifest": coded, "out_dir": str(training), "speaker": args.voice, **trained}),
        Step(
            SYNTHESIZE,
            {"model": str(training / "voice"), "texts": args.texts, "speaker": args.voice, "out_dir": str(samples)},
        ),
        Step(
            RATE_SAMPLES,
            {
                "takes": str(samples / "takes.jsonl"),
                "narrator_manifest": ingested,
                "out": str(samples / "ratings.json"),
            },
        ),
    ]


def _with_step_arguments(steps: Sequence[Step], args: MakeVoiceArgs) -> list[Step]:
    """Add the parameters that the call gives for single steps; languages without a small aligner get WhisperX."""
    own: dict[str, dict[str, Any]] = {step.kind.tool_name: {} for step in steps}
    fields = {step.kind.tool_name: step.kind.params.model_fields.keys() - step.arguments.keys() for step in steps}
    if args.language not in ("english", AUTO):
        own[ALIGN.tool_name]["aligner"] = "whisperx"
    for key, value in args.step_arguments.items():
        tool, _, parameter = key.partition(".")
        parameter, _, inner = parameter.partition(".")
        if parameter not in fields.get(tool, ()):
            known = ", ".join(sorted(fields.get(tool, own)))
            what = f"{tool} takes no {parameter[:80]!r} here" if tool in own else f"{tool[:80]!r} is no step"
            raise UserError("bad_arguments", f"make_voice: step_arguments: {what}.", f"There are: {known}.")
        if inner:
            values = own[tool].setdefault(parameter, {})
            if not isinstance(values, dict):
                raise UserError(
                    "bad_arguments", f"make_voice: step_arguments: {key[:80]!r} has no parts.", "Leave one."
                )
            values[inner] = value
        else:
            own[tool][parameter] = value
    return [Step(step.kind, own[step.kind.tool_name] | step.arguments) for step in steps]


def _tokenizer_of(args: MakeVoiceArgs) -> str:
    """The tokenizer of the base model: the one in its folder, else the default."""
    if args.base_model == "toy":
        return "toy"
    inside = Path(args.base_model) / "speech_tokenizer"
    return str(inside) if inside.is_dir() else DEFAULT_TOKENIZER
