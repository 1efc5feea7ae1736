"""The extension ``io.modelcontextprotocol/tasks`` (SEP-2663): a job is a task, its id the task's id.

For clients that declare it, since 2026-07-28. Every other client gets the job's handle and polls with ``get_job``.
"""

from datetime import UTC, datetime
from typing import Any

import mcp_types as types
from anyio import to_thread
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from jobs.errors import UserError
from jobs.escaping import escape_line
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from server.mcp.calls import as_result
from tools.core.job_view import view_job
from tools.core.registry import find_kind_tool
from tools.core.views import JobView

TASKS = "io.modelcontextprotocol/tasks"
NAME_HEADER = "mcp-name"
Context = ServerRequestContext[Any, Any]


class TaskParams(types.RequestParams):
    """Parameters with the id of a task."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    task_id: str


class TaskUpdateParams(TaskParams):
    """Parameters of ``tasks/update``: answers to a task's requests."""

    input_responses: dict[str, Any] = Field(default_factory=dict)


def serve_tasks(server: Server[Any], runner: Runner) -> None:
    """Register ``tasks/get``, ``tasks/update`` and ``tasks/cancel``."""

    async def get(context: Context, params: TaskParams) -> dict[str, Any]:
        record = await _checked_job(context, params, runner)
        return {"resultType": "complete", **await to_thread.run_sync(_task, record, runner)}

    async def update(context: Context, params: TaskUpdateParams) -> dict[str, Any]:
        await _checked_job(context, params, runner)  # jobs request no input; unknown answers are ignored
        return {"resultType": "complete"}

    async def cancel(context: Context, params: TaskParams) -> dict[str, Any]:
        await _checked_job(context, params, runner)
        await to_thread.run_sync(runner.cancel, params.task_id)
        return {"resultType": "complete"}

    server.extensions[TASKS] = {}
    server.add_request_handler("tasks/get", TaskParams, get)
    server.add_request_handler("tasks/update", TaskUpdateParams, update)
    server.add_request_handler("tasks/cancel", TaskParams, cancel)


def wants_tasks(context: Context) -> bool:
    """Return True if the client declared the extension with this request."""
    capabilities = context.session.client_capabilities
    declared = capabilities.extensions if capabilities is not None else None
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS and declared is not None and TASKS in declared


def unfinished_job(answer: BaseModel) -> str | None:
    """Return the id of the unfinished job in an answer."""
    job = answer if isinstance(answer, JobView) else getattr(answer, "job", None)
    return job.job_id if isinstance(job, JobView) and job.poll_after_s is not None else None


def created_task(job_id: str, runner: Runner) -> dict[str, Any]:
    """Return the result of a call that continues as a task."""
    return {"resultType": "task", **_task(runner.get(job_id), runner)}


async def _checked_job(context: Context, params: TaskParams, runner: Runner) -> JobRecord:
    """Check a request and return the task's job."""
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(types.METHOD_NOT_FOUND, "Method not found", context.method)
    # the SDK checks this header only for its own methods
    if context.request is not None and context.request.headers.get(NAME_HEADER) != params.task_id:
        raise MCPError(
            types.HEADER_MISMATCH, f"{NAME_HEADER} header does not match the request body's 'taskId' parameter"
        )
    if not wants_tasks(context):
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            "Missing required client capability",
            {"requiredCapabilities": {"extensions": {TASKS: {}}}},
        )
    try:
        return await to_thread.run_sync(runner.get, params.task_id)
    except UserError as error:
        raise MCPError(types.INVALID_PARAMS, str(error), {"taskId": params.task_id}) from error


def _task(record: JobRecord, runner: Runner) -> dict[str, Any]:
    view = view_job(record, runner)
    newest = runner.progress(record.job_id)
    changed_at = record.ended_at or max(record.created_at, record.started_at or 0, newest.at if newest else 0)
    task = {
        "taskId": record.job_id,
        "status": _status(record),
        "statusMessage": escape_line(view.progress or record.detail or record.state),
        "createdAt": _iso(record.created_at),
        "lastUpdatedAt": _iso(changed_at),
        "ttlMs": None,
        "pollIntervalMs": (view.poll_after_s or 1) * 1000,
    }
    if task["status"] != "completed":
        return task
    # a failed tool is `completed` with an error for the model; `failed` is for protocol errors
    result = as_result(_answer(record, view), is_error=record.state == "failed")
    return task | {"result": result.model_dump(mode="json", by_alias=True, exclude_none=True)}


def _status(record: JobRecord) -> str:
    match record.state:
        case "succeeded" | "failed":
            return "completed"
        case "cancelled":
            return "cancelled"
        case _:
            return "working"


def _answer(record: JobRecord, view: JobView) -> BaseModel:
    """Return the answer that the job's start tool would have given at its end."""
    tool = find_kind_tool(record.kind)
    is_part = tool is not None and tool.result is not JobView and "job" in tool.result.model_fields
    return tool.result.model_validate({"job": view}) if tool is not None and is_part else view


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
