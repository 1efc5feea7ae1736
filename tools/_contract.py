"""What a tool is: a public module of this folder whose function has the module's name.

    async def align(args: AlignArgs, context: ToolContext) -> JobView: ...

``args`` is a strict pydantic model, the answer a pydantic model, the docstring is for the agent, ``HINTS`` are
the module's annotations. Nothing registers: ``tools._registry`` scans the folder.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import BaseModel, Field, PrivateAttr

from jobs.fields import Strict
from jobs.runner.client import Runner
from jobs.settings import Settings


@dataclass(frozen=True)
class Hints:
    """What a client may assume of a tool; the MCP annotations are made of it."""

    title: str
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = True
    open_world: bool = False


async def _report_nowhere(done: float, total: float | None, message: str) -> None:
    """Progress for a caller who did not ask for it."""


@dataclass(frozen=True)
class ToolContext:
    """What a tool gets beside its arguments: where things are, the runner, a way to report progress."""

    settings: Settings
    runner: Runner
    report: Callable[[float, float | None, str], Awaitable[None]] = field(default=_report_nowhere)


class StartArgs(Strict):
    """Arguments that every tool that starts a job has beside the job's own parameters."""

    reuse: bool = Field(
        True,
        description="Return the job that already runs or has succeeded with the same parameters and unchanged "
        "inputs instead of starting another.",
    )
    idempotency_key: str | None = Field(
        None, max_length=128, description="Repeat a call safely: the same key returns the same job."
    )
    dry_run: bool = Field(False, description="Check everything and say what would run; start nothing.")


@dataclass(frozen=True)
class Media:
    """An image or a sound to hand over beside an answer's words."""

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
        """What was attached."""
        return self._media

    def attach(self, media: Media) -> None:
        """Hand this over as well."""
        self._media = media
