"""Models of the parts of an answer: a job, an artifact, an error."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, model_serializer

from jobs.param_types import Untrusted
from jobs.runner.models import State


class View(BaseModel):
    """A part of an answer; empty fields are left out, because an agent pays for every word."""

    SHOWN_WHEN_EMPTY: ClassVar[frozenset[str]] = frozenset()
    """Fields that are shown although they are empty."""

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        shown = self.SHOWN_WHEN_EMPTY  # zero and False are no empty values
        return {key: value for key, value in handler(self).items() if value or value == 0 or key in shown}


class ArtifactView(View):
    """A file or folder that a job made."""

    name: str
    kind: str
    handle: str = Field(description="artifact://job/name; tools take it wherever they take a path.")
    path: str = Field("", description="Where it is on the server's machine.")
    size_bytes: int | None = None
    sha256: str | None = None


class ErrorView(View):
    """Error of a failed job or of a refused call."""

    code: str = Field(description="Stable.")
    message: Untrusted
    hint: str = Field("", description="The next move.")


class JobView(View):
    """A job. Empty fields are left out."""

    SHOWN_WHEN_EMPTY = frozenset({"poll_after_s"})

    job_id: str | None = Field(None, description="Absent after a dry run.")
    kind: str
    state: Literal[State, "not_started"]
    progress: Untrusted = Field("", description="done/total, message, newest measures.")
    fraction: float | None = Field(None, description="0 to 1.")
    elapsed_s: float = Field(0, description="Since it began to run.")
    eta_s: float | None = Field(None, description="Rough.")
    poll_after_s: int | None = Field(None, description="Ask again after this; null: finished, ask no more.")
    reused: bool | None = Field(None, description="True: an earlier job did the same; nothing was started.")
    result: dict[str, Any] = Field(default_factory=dict, description="What the job answers with.")
    error: ErrorView | None = None
    reason: str | None = Field(None, description="How it ended, when not well.")
    artifacts: list[ArtifactView] = Field(default_factory=list)
    n_artifacts: int | None = Field(None, description="There are more: get_job detail=true.")
    log_tail: list[Untrusted] = Field(default_factory=list)
    next: str = Field("", description="What to do now.")


def find_job(answer: BaseModel) -> JobView | None:
    """Return the job that an answer is, or holds in its field ``job``."""
    job = getattr(answer, "job", answer)
    return job if isinstance(job, JobView) else None
