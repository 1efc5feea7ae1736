"""Models of jobs for callers: states, reasons, records. stdlib and pydantic only."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["queued", "starting", "running", "succeeded", "failed", "cancelled", "interrupted"]
TERMINAL: frozenset[State] = frozenset({"succeeded", "failed", "cancelled"})

Reason = Literal[
    "exit", "signal", "oom_likely", "cuda_oom", "disk_full", "cancelled", "dependency", "lost", "timeout", "spawn"
]


class Frozen(BaseModel):
    """Immutable record."""

    model_config = ConfigDict(frozen=True)


class Failure(Frozen):
    """Error of a worker: its ``UserError``, or a crash."""

    code: str
    message: str
    hint: str = ""


class Progress(Frozen):
    """The newest line of ``progress.jsonl``."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    at: float = Field(description="Unix time, seconds.")
    done: float
    total: float | None = None
    message: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    rate: float | None = Field(None, description="Units of done a second, recently; not in the file, but from it.")


class Artifact(Frozen):
    """A file or folder that a job published."""

    job_id: str
    name: str
    kind: str
    path: str
    size_bytes: int
    sha256: str

    @property
    def handle(self) -> str:
        """``artifact://<job>/<name>``."""
        return f"artifact://{self.job_id}/{self.name}"


class Lineage(Frozen):
    """Origin of a job's artifacts: code, parameters and jobs."""

    kind: str
    state: State = Field(description="Of the job; files of one that has not succeeded may be incomplete.")
    params: dict[str, Any]
    from_jobs: list[str] = Field(default_factory=list, description="Jobs whose files the parameters name.")
    version: str | None = None
    revision: str | None = Field(None, description="Of this project, by git.")
    lock_sha256: str | None = Field(None, description="Of the environment's lock.")


class JobRecord(Frozen):
    """State of a job, from its row of the store and its attempt's files. Times are Unix seconds."""

    job_id: str
    kind: str
    state: State
    reason: Reason | None = None
    detail: str = ""
    exit_code: int | None = None
    failure: Failure | None = None
    attempt: int = 0
    tries: int = 0
    max_tries: int = 1
    resource: str = "cpu"
    environment: str = "ml"
    backend: str = "local"
    backend_ref: str | None = None
    priority: int = 0
    not_before: float | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    placed: list[str] = Field(default_factory=list, description="Parameters for which a free folder was chosen.")
    result: dict[str, Any] | None = None
    folder: str = ""
    is_collected: bool = False
    has_ended_chain: bool = Field(False, description="Others needed it and were cancelled with it.")
    follower: str | None = Field(None, description="The job that waits for this one, or has gone on after it.")
    parent: str | None = Field(None, description="The search or refinement that has started it.")
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def is_finished(self) -> bool:
        """True when the state is final."""
        return self.state in TERMINAL
