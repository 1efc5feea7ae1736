"""The tool ``make_voice``: all steps from a recording to rated takes in one call."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from pydantic import Field, ValidationError

from jobs.align.dry_run import plan_aligner
from jobs.align.params import Params as AlignParams
from jobs.errors import UserError
from jobs.param_types import (
    Strict,
    UntrustedMark,
    first_fault,
)
from jobs.qwen.model_files import check_model
from jobs.rate_samples.spec import KIND as RATE_SAMPLES
from jobs.runner.call_text import call_text
from jobs.runner.job_kind import Example
from jobs.runner.machine.preflight import free_bytes
from tools.core.call_text import chosen, given
from tools.core.estimate import estimate
from tools.core.job_view import wait_for
from tools.core.start import compute_fingerprint, find_replaced, prepare, settings_of_call
from tools.core.tool_types import Hints, ToolContext
from tools.core.totals import PlannedStep, begin_text, find_misfits, total
from tools.core.views import View
from tools.inputs.paths import resolve_paths
from tools.pipeline.voice_steps import MakeVoiceArgs, Step, make_steps
from tools.start_tools import make_arguments

HINTS = Hints(
    title="Make a voice, start to end",
    destructive=True,
    order=100,
    examples=(
        Example("All steps at once", {"audio": "book.m4b", "voice": "anna", "text": "book.txt", "dry_run": True}),
        Example(
            "Without GPU and weights, for a trial",
            {"audio": "book.m4b", "voice": "anna", "text": "book.txt", "base_model": "toy", "max_steps": 20},
        ),
    ),
)


class StepView(View):
    """One job of the pipeline."""

    tool: str
    job_id: str | None = None
    state: str
    reused: bool | None = None
    would_run: dict[str, Any] = Field(default_factory=dict, description="What differs from the defaults.")
    replaces: list[str] = Field(default_factory=list, description="What it would write over.")
    estimate: dict[str, Any] = Field(default_factory=dict)
    plan: Annotated[dict[str, Any], UntrustedMark()] = Field(
        default_factory=dict, description="Of the first one, the aligner and the training."
    )


class MakeVoiceAnswer(View):
    """The jobs in the order of their runs, and the paths of the results."""

    steps: list[StepView]
    total: dict[str, Any] = Field(default_factory=dict, description="Of a dry run: what all steps take.")
    voice: str = Field(description="Folder of the voice, when the training is done.")
    ratings: str = Field(description="The last job's result.")
    next: str = ""


async def make_voice(args: MakeVoiceArgs, context: ToolContext) -> MakeVoiceAnswer:
    """Make a voice from a recording in one call: ingest to rated takes, six jobs in a row.

    Use it when the defaults will do. COST: GPU hours and a download of 2.5 to 4.5 GB unless base_model=toy; get
    approval first. The same call again reuses what is done. Next: get_job.
    """
    answer = await to_thread.run_sync(_make_voice, args, context)
    last = answer.steps[-1].job_id
    if args.dry_run or not args.wait_s or last is None:
        return answer
    await wait_for(last, args.wait_s, context)
    return await to_thread.run_sync(_seen_again, answer, context)


def _make_voice(args: MakeVoiceArgs, context: ToolContext) -> MakeVoiceAnswer:
    given_as = given(args)
    args = resolve_paths(args, context.settings, context.runner)
    if Path(args.base_model).is_absolute():
        check_model(Path(args.base_model), args.base_model)
    out = Path(args.out_dir) if args.out_dir else context.settings.home / "voices" / args.voice
    steps = make_steps(args, out)
    prepared = [_prepared(step, args, context, waits=place > 0) for place, step in enumerate(steps)]
    voice, ratings = str(out / "training" / "voice"), str(out / "samples" / "ratings.json")
    if args.dry_run:
        views = _planned(args, context, steps, prepared)
        planned = [PlannedStep(view.tool, view.estimate, view.plan) for view in views if not view.reused]
        misfits = [f"{one.tool}: {text}" for one in planned for text in find_misfits(one.plan, one.estimate)]
        return MakeVoiceAnswer(
            steps=views,
            total=total(planned, free_bytes(context.settings.home) / 1e9),
            voice=voice,
            ratings=ratings,
            next=begin_text(call_text("make_voice", given_as), misfits),
        )
    submitted = _submit(args, context, steps, prepared)
    return MakeVoiceAnswer(steps=submitted, voice=voice, ratings=ratings, next=_next(submitted))


def _seen_again(answer: MakeVoiceAnswer, context: ToolContext) -> MakeVoiceAnswer:
    """The same jobs in their present state."""
    steps = [
        step.model_copy(update={"state": context.runner.get(step.job_id).state if step.job_id else step.state})
        for step in answer.steps
    ]
    return answer.model_copy(update={"steps": steps, "next": _next(steps)})


def _planned(
    args: MakeVoiceArgs, context: ToolContext, steps: Sequence[Step], prepared: Sequence[Strict]
) -> list[StepView]:
    """Parameters of each job, checked as by its submission, an estimate where its input is there, and plans."""
    settings = settings_of_call(args, context)
    views: list[StepView] = []
    cost, speech_s = steps[0].kind.cost, 0.0
    for step, params, wanted in zip(steps, prepared, _wanted(args, steps, prepared), strict=True):
        is_ahead = bool(args.after or views)
        plan = step.kind.make_plan(params, settings, is_ahead=is_ahead, speech_s=speech_s)
        if isinstance(params, AlignParams):
            plan = plan_aligner(args.language, params, settings)
        if not views and cost is not None:
            speech_s = cost.measure(params.model_dump(mode="json"), plan)
        same, _ = context.runner.check(step.kind, params, **wanted)
        would_run = params.model_dump(mode="json", exclude_none=True)
        views.append(
            StepView(
                tool=step.kind.tool_name,
                job_id=same.job_id if same is not None else None,
                state=same.state if same is not None else "not_started",
                reused=True if same is not None else None,
                would_run=chosen(would_run, step.kind.params),
                replaces=[] if same is not None else find_replaced(step.kind, params, context.settings),
                estimate=estimate(
                    step.kind,
                    would_run,
                    context.runner,
                    context.settings,
                    plan,
                    expected=float(len(args.texts)) if step.kind is RATE_SAMPLES else speech_s,
                ),
                plan=plan,
            )
        )
    return views


def _next(steps: Sequence[StepView]) -> str:
    waiting = [step for step in steps if step.state != "succeeded"]
    if not waiting:
        return f"Nothing to do: all steps are complete. Call {call_text('get_job', {'job_id': steps[-1].job_id})}."
    look = call_text("get_job", {"job_id": waiting[0].job_id, "wait_s": 50})
    return f'Call {look}, then the next one, in this order, until "{waiting[-1].job_id}" is done.'


def _prepared(step: Step, args: MakeVoiceArgs, context: ToolContext, *, waits: bool) -> Strict:
    """Parameters of a step, checked as by its own tool, except for files that the steps before it write."""

    given = {name: value for name, value in step.arguments.items() if value is not None}
    # only the first step finds its inputs on the disk, unless the call itself waits for other jobs
    after = ["the step before"] if waits else args.after
    try:
        arguments = make_arguments(step.kind).model_validate({**given, "after": after})
    except ValidationError as error:
        raise UserError(
            "bad_arguments", f"make_voice: {step.kind.tool_name}: {first_fault(error)}", "Correct the argument."
        ) from error
    return prepare(step.kind, arguments, context)


def _submit(
    args: MakeVoiceArgs, context: ToolContext, steps: Sequence[Step], prepared: Sequence[Strict]
) -> list[StepView]:
    """Submit all jobs in one transaction."""
    views: list[StepView] = []
    before: tuple[str, ...] = ()
    with context.runner.together():
        for step, params, wanted in zip(steps, prepared, _wanted(args, steps, prepared), strict=True):
            submission = context.runner.submit(step.kind, params, **(wanted | ({"after": before} if before else {})))
            job = submission.job
            before = (job.job_id,)
            views.append(
                StepView(
                    tool=step.kind.tool_name,
                    job_id=job.job_id,
                    state=job.state,
                    reused=None if submission.created else True,
                )
            )
    return views


def _wanted(args: MakeVoiceArgs, steps: Sequence[Step], prepared: Sequence[Strict]) -> Iterator[dict[str, Any]]:
    """Iterate over the arguments of ``Runner.submit`` for each step; a later one waits for the one before besides."""
    lineage, after = "", tuple(args.after)
    for step, params in zip(steps, prepared, strict=True):
        lineage = (
            _chained(lineage, step, params) if lineage else compute_fingerprint(step.kind.name, params, args.after)
        )
        yield {
            **vars(args.placement()),
            "key": f"{args.idempotency_key}/{step.kind.tool_name}" if args.idempotency_key else None,
            "fingerprint": lineage,
            "reuse": args.reuse,
            "after": after,
        }
        after = ()


def _chained(lineage: str, step: Step, params: Strict) -> str:
    """Fingerprint of a step: the fingerprint of the step before stands for the inputs that it writes."""
    content = [lineage, step.kind.name, params.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
