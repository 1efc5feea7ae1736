"""The tool ``schedule_job``: repeated jobs."""

from datetime import UTC, datetime
from typing import Any, Literal

from anyio import to_thread
from pydantic import Field

from jobs.errors import UserError
from jobs.param_types import Strict, Untrusted, rare
from jobs.runner.call_text import call_text
from jobs.runner.job_kind import Example
from jobs.runner.schedules.rule import ScheduleRule
from jobs.runner.schedules.schedules import Schedule, Schedules
from tools.core.registry import Tool, all_tools, find_kind_tool
from tools.core.start import prepare
from tools.core.tool_types import Hints, StartArgs, ToolContext
from tools.core.views import View
from tools.inputs.arguments import nearest, parse_arguments

HINTS = Hints(
    title="Repeat work on a schedule",
    destructive=True,
    idempotent=False,
    order=900,
    examples=(
        Example(
            "Every night at three",
            {
                "action": "create",
                "name": "nightly",
                "tool": "ingest_audiobook",
                "arguments": {"audio": "book.m4b", "voice": "anna"},
                "cron": "0 3 * * *",
            },
        ),
    ),
)
N_SHOWN = 3


class ScheduleJobArgs(Strict):
    """Arguments of ``schedule_job``."""

    action: Literal["create", "list", "pause", "resume", "delete", "run_now"] = "list"
    name: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description="")
    tool: str | None = Field(None, description="create: e.g. synthesize.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="create: the tool's.")
    every: str | None = Field(None, description="create: 30m, 12h, 1d, 1w.")
    cron: str | None = Field(None, description="Or five cron fields, in UTC unless tz.")
    tz: str = rare("UTC", description="Time zone of cron, e.g. Europe/Berlin.")
    catch_up: bool = rare(True, description="Run once after a missed time.")
    dry_run: bool = Field(False, description="Show the next times; store nothing.")


class ScheduleView(View):
    """A schedule."""

    name: str
    tool: str
    rule: str
    next_at: str = Field("", description="Empty: paused.")
    later: list[str] = Field(default_factory=list)
    last_job: str | None = None
    n_runs: int = 0
    note: Untrusted = Field("", description="Reason why the last time started no job.")


class ScheduleAnswer(View):
    """Schedules, or the job of run_now."""

    SHOWN_WHEN_EMPTY = frozenset({"schedules"})

    schedules: list[ScheduleView] = Field(default_factory=list)
    job_id: str | None = None
    next: str = ""


async def schedule_job(args: ScheduleJobArgs, context: ToolContext) -> ScheduleAnswer:
    """Run a tool's job repeatedly, at an interval or by a cron line; list, pause, resume, delete, run now.

    A time whose last job is not finished is skipped. Costs what the tool costs, each time.
    """
    return await to_thread.run_sync(_act, args, context)


def _act(args: ScheduleJobArgs, context: ToolContext) -> ScheduleAnswer:
    schedules = Schedules(context.settings)
    if args.action == "list":
        found = [_view(schedule) for schedule in schedules.list()]
        return ScheduleAnswer(schedules=found, next="" if found else "No schedules. Make one with action=create.")
    if args.action == "create":
        return _create(args, context, schedules)
    if args.name is None:
        raise UserError(
            "bad_arguments", f"schedule_job: {args.action} needs the name of a schedule.", "See action=list."
        )
    match args.action:
        case "pause":
            return ScheduleAnswer(schedules=[_view(schedules.pause(args.name))])
        case "resume":
            return ScheduleAnswer(schedules=[_view(schedules.resume(args.name))])
        case "run_now":
            job_id = schedules.run_now(args.name)
            return ScheduleAnswer(job_id=job_id, next=f"Call {call_text('get_job', {'job_id': job_id, 'wait_s': 50})}.")
        case _:
            schedules.delete(args.name)
            return ScheduleAnswer(next=f"{args.name} is deleted; its jobs stay in list_jobs.")


def _create(args: ScheduleJobArgs, context: ToolContext, schedules: Schedules) -> ScheduleAnswer:
    tool = _start_tool(args.tool)
    assert tool.kind is not None
    call = parse_arguments(tool.args, args.arguments, tool=f"schedule_job: {tool.name}")
    assert isinstance(call, StartArgs)
    placement = {name: value for name, value in vars(call.placement()).items() if value and name != "after"}
    rule = ScheduleRule.parse(every=args.every, cron=args.cron, tz=args.tz)
    params = prepare(tool.kind, call, context, in_job_folder=True)
    if args.dry_run:
        now = datetime.now(UTC).timestamp()
        planned = ScheduleView(name=args.name or "", tool=tool.name, rule=str(rule), later=_times(rule, now))
        return ScheduleAnswer(schedules=[planned], next="Nothing was stored. Call again without dry_run.")
    made = schedules.create(tool.kind, params, rule, name=args.name, catch_up=args.catch_up, placement=placement)
    return ScheduleAnswer(schedules=[_view(made)], next="It runs while this machine is on. Stop it with action=delete.")


def _start_tool(name: str | None) -> Tool:
    known = {tool.name: tool.summary for tool in all_tools().values() if tool.kind is not None}
    if name in known:
        return all_tools()[name]
    near = nearest(name, known) if name else None
    raise UserError(
        "bad_arguments",
        f"schedule_job: tool={name!r} cannot be scheduled." + (f" Did you mean {near!r}?" if near else ""),
        f"It takes: {', '.join(known)}.",
    )


def _view(schedule: Schedule) -> ScheduleView:
    return ScheduleView(
        name=schedule.id,
        tool=tool.name if (tool := find_kind_tool(schedule.kind)) is not None else schedule.kind,
        rule=str(schedule.rule),
        next_at=_shown(schedule.next_at) if schedule.enabled else "",
        last_job=schedule.last_job,
        n_runs=schedule.n_runs,
        note=schedule.note,
    )


def _times(rule: ScheduleRule, now: float) -> list[str]:
    times: list[str] = []
    at = now
    for _ in range(N_SHOWN):
        at = rule.next_after(at, at)
        times.append(_shown(at))
    return times


def _shown(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes")
