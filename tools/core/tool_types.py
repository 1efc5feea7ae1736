"""Types of a tool: a public module of ``tools`` whose function has the module's name.

    async def get_job(args: GetJobArgs, context: ToolContext) -> JobView: ...

``args`` is a strict pydantic model, the answer a pydantic model, the docstring is for the agent, ``HINTS`` are
the module's annotations. ``tools.core.registry`` finds it; tools that only start a job are made of its kind.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, Field, PrivateAttr, field_validator

from jobs.durations import EXAMPLES, parse_duration
from jobs.param_types import Strict, rare
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import Hints as Hints
from jobs.runner.schedules.schedules import KEY_PREFIX
from jobs.settings import Settings

FormT = TypeVar("FormT", bound=BaseModel)


class Ask(Protocol):
    """Asks the user of the agent to fill in a form.

    Returns the filled form, or None when the client cannot ask. A tool may be run again from its beginning with the
    answer, so it asks before it changes anything, and the same call asks the same.

    Raises:
        UserError: ``person_declined``, or ``answer_unfit`` when what came back does not fit the form.
    """

    async def __call__(self, message: str, form: type[FormT]) -> FormT | None:
        """Ask with a flat form of numbers, texts and choices."""


async def _ask_nobody(message: str, form: type[FormT]) -> FormT | None:
    """Return None: the client cannot ask, and the tool says how to do it in chat."""
    return None


async def _report_nowhere(done: float, total: float | None, message: str) -> None:
    """Drop the progress: the caller did not ask for it."""


@dataclass(frozen=True)
class ToolContext:
    """Surroundings of a call: settings, the runner, and functions to report progress and to ask."""

    settings: Settings
    runner: Runner
    report: Callable[[float, float | None, str], Awaitable[None]] = field(default=_report_nowhere)
    ask: Ask = field(default=_ask_nobody)


@dataclass(frozen=True)
class Placement:
    """Time and place of a job: the runner's own arguments of ``submit``."""

    after: tuple[str, ...] = ()
    priority: int = 0
    not_before: float | None = None
    max_run_s: float | None = None
    backend: str | None = None


def parse_time(text: str, now: datetime) -> datetime:
    """Read an ISO time (without zone: this machine's) or a duration from now: ``90s``, ``30m``, ``8h``, ``2d``, ``1w``.

    Raises ``ValueError``: it is neither.
    """
    duration = text.strip().removeprefix("in ")
    try:
        return now + timedelta(seconds=parse_duration(duration))
    except OverflowError as error:
        raise ValueError("is too far away") from error
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is not a time: write 2026-12-31T22:00+01:00, or a time from now: {EXAMPLES}") from error


class StartArgs(Strict):
    """Arguments of every tool that starts a job, beside the job's own parameters."""

    reuse: bool = rare(
        True,
        description="Return the job that already runs or has succeeded with the same parameters and unchanged "
        "inputs instead of starting another.",
    )
    idempotency_key: str | None = rare(
        None, max_length=128, description="Repeat a call safely: the same key returns the same job."
    )
    wait_s: float = rare(0, ge=0, le=50, description="Wait for the job's end before answering, seconds.")
    dry_run: bool = Field(False, description="Check and estimate; start nothing.")
    after: list[str] = Field(default_factory=list, max_length=100, description="job_ids to wait for.")
    priority: int = rare(0, ge=-100, le=100, description="Higher starts first.")
    not_before: str | None = rare(None, description="ISO time, or 30m, 8h, 2d from now.")
    max_run_hours: float | None = rare(None, gt=0, le=100_000, description="Stop an attempt after this long.")
    backend: Literal["local", "slurm"] | None = rare(None, description="Default: as configured.")

    @field_validator("not_before")
    @classmethod
    def _is_a_time(cls, text: str | None) -> str | None:
        if text is not None:
            parse_time(text, datetime.now(UTC))
        return text

    @field_validator("idempotency_key")
    @classmethod
    def _is_a_callers(cls, key: str | None) -> str | None:
        if key is not None and key.startswith(KEY_PREFIX):
            raise ValueError(f"may not begin with {KEY_PREFIX!r}: keys of schedules do")
        return key

    def placement(self) -> Placement:
        """Return time and place of the job for the runner."""
        return Placement(
            after=tuple(self.after),
            priority=self.priority,
            not_before=parse_time(self.not_before, datetime.now(UTC)).timestamp() if self.not_before else None,
            max_run_s=self.max_run_hours * 3600 if self.max_run_hours else None,
            backend=self.backend,
        )


@dataclass(frozen=True)
class Media:
    """An image or a sound beside the text of an answer."""

    data: bytes
    mime_type: str


class MediaAnswer(BaseModel):
    """An answer that may carry one image or sound.

    A client that gets structured content shows nothing else, so an answer with media has none, and a tool with such
    answers promises no output schema.
    """

    _media: Media | None = PrivateAttr(None)

    @property
    def media(self) -> Media | None:
        """Image or sound that was attached."""
        return self._media

    def attach(self, media: Media) -> None:
        """Attach an image or a sound."""
        self._media = media
