"""Declaration of the job kind ``align``."""

from jobs.align.params import TRIMMED, Params, Result, check
from jobs.cost import Cost, manifest_seconds
from jobs.runner.job_kind import Example, JobKind, Output, ShellCommand, StartTool
from jobs.runner.machine.limits import limits_of_reader

# one run on two cores: the order of magnitude
COST = Cost(
    manifest_seconds,
    unit="s of clips",
    s_each=1 / 4,
    s_fixed=10,
    memory_mb=800,
    bytes_each=400,
    way=lambda params: f"{params['aligner']} {params.get('align_model')}",
)
WHISPERX_MB = 16_000  # the largest wav2vec2 model has 1.3 GB in float32; PyTorch and CUDA take the rest

KIND = JobKind(
    name="align",
    params=Params,
    result=Result,
    entry="jobs.align.work:run",
    resource="gpu",
    check=check,
    plan="jobs.align.dry_run:plan",
    outputs=(
        Output(
            "aligned",
            result="manifest",
            parameter="out",
            default="{manifest.parent}/train_aligned.jsonl",
            in_dataset=True,
        ),
    ),
    makes={
        "out": (
            "{name}.new",
            "align_rejections.jsonl",
            "align_report.html",
            "align_report.png",
            ".align_journal.jsonl",
            "exports",
            f"{TRIMMED}/",
        )
    },
    limits=lambda params: limits_of_reader(COST.measure(params.model_dump()), WHISPERX_MB),
    cost=COST,
    tool=StartTool(
        title="Align clips with their words",
        description="""\
Time and score every word of every clip; reject clips whose text is not what is spoken.

Use it after an ingest. GPU with WhisperX's model, else CPU (pocketsphinx, English); minutes. A job; result:
train_aligned.jsonl. Next: convert_codes.""",
        order=20,
        next="Call convert_codes manifest={manifest}.",
        step="align -> train_aligned.jsonl.",
        examples=(
            Example("A dataset by its name", {"manifest": "anna"}),
            Example("Stricter about the text", {"manifest": "anna", "min_word_score": 0.6}),
        ),
        commands=(ShellCommand("align", ("manifest", "out", "root"), about="align MANIFEST OUT ROOT"),),
    ),
)
