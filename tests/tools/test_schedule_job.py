"""Schedules as an agent makes them: checked like the call itself, shown with their next times."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import UserError
from tools.core.tool_types import ToolContext
from tools.schedule_job import ScheduleJobArgs, schedule_job

pytestmark = pytest.mark.anyio


@pytest.fixture
def call(work: Path) -> ScheduleJobArgs:
    """Ingest the same recording every night."""
    (work / "book.m4b").write_bytes(b"sound")
    arguments = {"audio": "book.m4b", "voice": "anna", "max_run_hours": 2, "priority": 3}
    return ScheduleJobArgs(
        action="create", name="nightly", tool="ingest_audiobook", arguments=arguments, cron="0 3 * * *",
        tz="Europe/Berlin",
    )  # fmt: skip


async def test_a_schedule_lives_until_it_is_deleted(context: ToolContext, call: ScheduleJobArgs) -> None:
    made = (await schedule_job(call, context)).schedules[0]
    paused = (await schedule_job(ScheduleJobArgs(action="pause", name="nightly"), context)).schedules[0]
    resumed = (await schedule_job(ScheduleJobArgs(action="resume", name="nightly"), context)).schedules[0]
    await schedule_job(ScheduleJobArgs(action="delete", name="nightly"), context)
    left = await schedule_job(ScheduleJobArgs(), context)

    assert (made.tool, made.rule) == ("ingest_audiobook", "0 3 * * * (Europe/Berlin)")
    assert made.next_at == resumed.next_at != paused.next_at == ""
    assert left.schedules == []


async def test_a_run_now_has_what_the_call_asked_for(context: ToolContext, call: ScheduleJobArgs) -> None:
    await schedule_job(call, context)

    answer = await schedule_job(ScheduleJobArgs(action="run_now", name="nightly"), context)

    job = context.runner.get(str(answer.job_id))
    context.runner.cancel(job.job_id)
    assert (job.kind, job.priority) == ("ingest_audiobook", 3)
    await schedule_job(ScheduleJobArgs(action="delete", name="nightly"), context)


async def test_a_dry_run_shows_the_next_times_and_stores_nothing(context: ToolContext, call: ScheduleJobArgs) -> None:
    answer = await schedule_job(call.model_copy(update={"dry_run": True}), context)

    assert len(answer.schedules[0].later) == 3
    assert not context.settings.home.exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"tool": "ingest_audiobok"}, "'ingest_audiobook'"),
        ({"tool": "get_job"}, "cannot be scheduled"),
        ({"arguments": {"audio": "book.m4b", "voice": "anna", "min_clip": 2}}, "'min_clip_s'"),
        ({"arguments": {"audio": "gone.m4b", "voice": "anna"}}, "no file"),
        ({"arguments": {"audio": "/etc/passwd", "voice": "anna"}}, "outside the folders"),
        ({"cron": "0 25 * * *"}, "cron"),
        ({"every": "1h"}, "either"),
        ({"action": "pause", "name": "other"}, "no schedule 'other'"),
        ({"action": "delete", "name": None}, "name"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_stored(
    context: ToolContext, call: ScheduleJobArgs, change: dict[str, object], word: str
) -> None:
    with pytest.raises(UserError, match=word):
        await schedule_job(call.model_copy(update=change), context)

    assert (await schedule_job(ScheduleJobArgs(), context)).schedules == []
