"""Start of a job by a tool: paths, defaults, checks, fingerprint, submission."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from anyio import to_thread
from pydantic import ValidationError

from jobs.errors import UserError
from jobs.files.own_files import walk_files
from jobs.param_types import ModelMark, Strict
from jobs.runner.call_text import call_text
from jobs.runner.client.named_folders import NamedFolder
from jobs.runner.job_kind import JobKind
from jobs.runner.models import JobRecord
from jobs.runner.outputs import find_places, list_replaced
from jobs.settings import Settings
from jobs.spelling import MOST_KNOWN, closest
from tools.core.call_text import given
from tools.core.errors import path_error
from tools.core.estimate import estimate
from tools.core.job_view import view_job, wait_for
from tools.core.registry import find_kind_tool
from tools.core.tool_types import StartArgs, ToolContext
from tools.core.totals import begin_text, find_misfits
from tools.core.views import JobView
from tools.inputs.coming import find_maker, unfinished_input
from tools.inputs.overwriting import refuse_overwriting
from tools.inputs.paths import default_place, marked_paths, resolve_paths
from tools.inputs.references import is_voice_elsewhere

MOST_NAMED = 8
NO_ESTIMATE = "unknown until its inputs exist"


async def start(kind: JobKind, args: StartArgs, context: ToolContext) -> JobView:
    """Check a call and start its job, or find the one that did the same.

    Raises ``UserError``: what is wrong with paths, files or parameters. Nothing was started.
    """
    view = await to_thread.run_sync(_start, kind, args, context)
    if not args.wait_s or view.job_id is None or view.poll_after_s is None:
        return view
    record = await wait_for(view.job_id, args.wait_s, context)
    return await to_thread.run_sync(_view, record, None, view.reused, context)


def _start(kind: JobKind, args: StartArgs, context: ToolContext) -> JobView:
    try:
        params = prepare(kind, args, context)
    except OSError as error:  # permission denied, name too long, disk failure
        if (told := path_error(error)) is None:
            raise
        raise told from error
    wanted: dict[str, Any] = {
        "key": args.idempotency_key,
        "fingerprint": compute_fingerprint(kind.name, params, args.after),
        "reuse": args.reuse,
        "folder": find_named_folder(kind, params, context),
        **vars(args.placement()),
    }
    if args.dry_run:
        same, params = context.runner.check(kind, params, **wanted)
        return _plan(kind, params, args, context, same)
    submission = context.runner.submit(kind, params, **wanted)
    return _view(submission.job, 0, not submission.created, context)


def _view(record: JobRecord, log_lines: int | None, reused: bool | None, context: ToolContext) -> JobView:
    """The answer of a start, with the folder that was chosen for the job, as long as no result names it."""
    view = view_job(record, context.runner, log_lines, reused=reused)
    folders = [] if record.is_finished else [str(record.params[name]) for name in record.placed]
    return view.model_copy(update={"next": " ".join([view.next, *(f"It writes to {path}." for path in folders)])})


def prepare(kind: JobKind, args: StartArgs, context: ToolContext, *, in_job_folder: bool = False) -> Strict:
    """Return the parameters as the worker gets them: absolute paths, outputs filled in, checked.

    The check of files is left to the worker when the job waits for others, which may not have written them yet. With
    ``in_job_folder``, outputs that were not given go to the job's own folder, whatever their default is.

    Raises ``UserError``: from the paths, from ``kind.check``, or ``output_is_input``.
    """
    fields = kind.params.model_fields
    params = kind.params.model_construct(**{name: getattr(args, name) for name in fields})
    params = resolve_paths(params, context.settings, context.runner, awaited=args.after)
    given = args.model_fields_set & set(fields)
    params = params.model_copy(update=kind.make_suggestions(params, given, settings_of_call(args, context)))
    filled = {} if in_job_folder else _default_outputs(kind, params, context.settings)
    try:
        params = kind.params.model_validate({**params.model_dump(), **filled})
    except ValidationError as error:  # each field was valid before, so a rule over several fields failed
        raise UserError("bad_arguments", str(error), "Correct the arguments.") from error
    refuse_overwriting(params)
    if kind.check is not None and not args.after:
        try:
            kind.check(params)
        except UserError as error:
            raise _with_nearest_file(error, params, context) from error
    return params


def _default_outputs(kind: JobKind, params: Strict, settings: Settings) -> dict[str, str]:
    """The default paths of outputs that were not given; those without a default are in the job's own folder."""
    known = {name: getattr(params, name) for name in type(params).model_fields}
    return {
        output.parameter: str(default_place(Path(output.default_for(known, settings.home)), output.parameter, settings))
        for output in kind.outputs
        if output.default and output.name is None and not known[output.parameter]
    }


def find_named_folder(kind: JobKind, params: Strict, context: ToolContext) -> NamedFolder | None:
    """Return the folder with a name that the caller has left open."""
    known = {name: getattr(params, name) for name in type(params).model_fields}
    settings, runner = context.settings, context.runner
    for output in kind.outputs:
        if output.name is None or known[output.parameter] or not (name := output.name(known)):
            continue
        base = default_place(Path(output.default_for(known, settings.home)), output.parameter, settings)
        return NamedFolder(output.parameter, base / name, lambda name: is_voice_elsewhere(name, settings, runner))
    return None


def _with_nearest_file(error: UserError, params: Strict, context: ToolContext) -> UserError:
    """Return the same error with a suggestion where an input is missing: the job that makes it, or a similar name."""
    settings = context.settings
    for _, mark, value in marked_paths(params):
        path = Path(value)
        if isinstance(mark, ModelMark) or mark.direction == "output" or path.exists() or str(path) not in error.message:
            continue
        maker = find_maker([path], context.runner) if settings.home.exists() else None
        if maker is not None:
            return unfinished_input(str(path), maker[0])
        if not path.parent.is_dir():
            return UserError(error.code, f"{error.message} {_describe_missing_folder(path)}", error.hint)
        names = [found.name for found in islice(path.parent.iterdir(), MOST_KNOWN)]
        near = closest(path.name, names, cutoff=0.7)
        if near:
            meant = path.with_name(near)
            shown = meant.relative_to(settings.roots[0]) if meant.is_relative_to(settings.roots[0]) else meant
            return UserError(error.code, f"{error.message} Did you mean {str(shown)!r}?", error.hint)
    return error


def _describe_missing_folder(path: Path) -> str:
    """Say which folder of a path is missing, and what the folder above it holds."""
    missing = next(folder for folder in path.parents if folder.parent.is_dir())
    names = sorted(found.name for found in islice(missing.parent.iterdir(), MOST_KNOWN) if found.name[0] != ".")
    near = closest(missing.name, names)
    if near:
        return f"There is no folder {missing}. Did you mean {str(missing.with_name(near))!r}?"
    more = ", …" if len(names) > MOST_NAMED else ""
    return f"There is no folder {missing}; {missing.parent} has: {', '.join(names[:MOST_NAMED]) or 'nothing'}{more}."


def compute_fingerprint(kind: str, params: Strict, after: Sequence[str] = ()) -> str:
    """Compute the SHA-256 of the kind, the parameters, the jobs waited for, and size and change time of every input.

    A folder counts by its listing. Audio that a manifest names is not looked at: a new clip comes with a new manifest.
    """
    digest = hashlib.sha256()
    content = [kind, params.identity(), *sorted(after)]
    digest.update(json.dumps(content, sort_keys=True).encode())
    for where, mark, value in marked_paths(params):
        is_read = isinstance(mark, ModelMark) or mark.direction == "input"
        if is_read and value.startswith("/"):
            for line in _states(Path(value)):
                digest.update(f"{where}\0{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _states(path: Path) -> Iterator[str]:
    if not path.is_dir():
        yield _state(path)
        return
    yield from (_state(file) for file in walk_files(path) if not file.is_dir())


def _state(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return f"{path}\0missing"
    return f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}"


def settings_of_call(args: StartArgs, context: ToolContext) -> Settings:
    """Return the settings with the backend of a call."""
    return replace(context.settings, backend=args.backend or context.settings.backend)


def find_replaced(kind: JobKind, params: Strict, settings: Settings) -> list[str]:
    """Return the paths that a job would write over."""
    return list_replaced(find_places(kind, params, settings.home))


def _plan(kind: JobKind, params: Strict, args: StartArgs, context: ToolContext, same: JobRecord | None) -> JobView:
    """The answer of a dry run; ``same`` is the job that the call would return instead of a new one."""
    would_run = params.model_dump(mode="json", exclude_none=True)
    idle = kind.idle(params) if kind.idle is not None else ()
    shown = {name: value for name, value in would_run.items() if name not in idle}
    result: dict[str, Any] = {"would_run": shown, "resource": kind.resource, "environment": kind.environment}
    planned = kind.make_plan(params, settings_of_call(args, context), is_ahead=bool(args.after))
    takes = estimate(kind, would_run, context.runner, context.settings, planned)
    if "time_s" in takes:
        planned.pop("time", None)  # it says why it has none
    result |= {"plan": planned} if planned else {}
    if same is not None:
        result |= {"reuses": same.job_id}
    elif replaced := find_replaced(kind, params, context.settings):
        result |= {"replaces": replaced}
    result |= {"estimate": takes or NO_ESTIMATE} if takes or not planned else {}
    tool = find_kind_tool(kind.name)
    call = call_text(tool.name if tool is not None else kind.name, given(args))
    begin = begin_text(call, list(find_misfits(planned, takes)))
    if same is not None:
        begin = (
            f"The same call was made before: {same.job_id} ({same.state}). Nothing is started again: call {call} "
            "returns that job; with reuse=false it starts a new one."
        )
    return JobView(
        kind=kind.name,
        state="not_started",
        result=result,
        next=("The inputs are checked when the jobs before it are done. " if args.after else "") + begin,
    )
