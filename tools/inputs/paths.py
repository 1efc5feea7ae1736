"""Resolution of paths, handles and model references to absolute paths within the allowed roots.

The marks of ``jobs.param_types`` say which fields are paths; a tool does nothing of this itself.
"""

import errno
import os
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from jobs.errors import UserError
from jobs.files.reading import refuse_special
from jobs.files.user_folder import expand_user
from jobs.installation import FILES, IS_CHECKOUT
from jobs.param_types import ModelMark, PathMark, find_arguments, find_mark
from jobs.runner.client.runner import Runner
from jobs.runner.paths import is_job_id
from jobs.settings import PROJECT_ROOT, Settings
from jobs.trust.home import INPUT_FOLDERS, OUTPUT_FOLDERS, is_of_home_itself
from jobs.trust.roots import is_inside, outside_roots
from tools.inputs.references import (
    dataset_files,
    describe_voices,
    find_dataset,
    find_job_output,
    find_stopped_run,
    find_voice,
)

HANDLE_PREFIX = "artifact://"
RELEASED = "Qwen/"  # owner of the released models
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
# Names that faster-whisper 1.2 resolves to hub ids itself (its utils._MODELS).
WHISPER_SIZES = frozenset(
    {
        *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en", "turbo"),
        *("large", "large-v1", "large-v2", "large-v3", "large-v3-turbo"),
        *("distil-small.en", "distil-medium.en", "distil-large-v2", "distil-large-v3", "distil-large-v3.5"),
    }
)
LONGEST_OUTPUT = 3_500  # bytes: names of files and folders within are added, and a path of Linux has 4,095 at most
SHORTER = "Give a shorter path."
ModelT = TypeVar("ModelT", bound=BaseModel)


def resolve_paths(args: ModelT, settings: Settings, runner: Runner, *, awaited: Collection[str] = ()) -> ModelT:
    """Replace every path, handle and model reference of ``args`` by what the worker can open.

    An empty output path stays empty: its default is filled later. Missing files are found by the kind's check. Raises
    ``UserError``: ``path_outside_roots``, ``path_not_writable``, ``path_unusable``, ``file_not_regular``,
    ``model_unavailable``, or what the lookup of a handle, a job or a name raises.
    """

    def resolved(text: str, mark: PathMark | ModelMark, where: str) -> str:
        if isinstance(mark, ModelMark):
            return _resolve_model(text, where, settings, runner, awaited)
        if mark.direction == "output":
            return text and str(writable(text, where, settings))
        if text.startswith(HANDLE_PREFIX):
            return str(resolve_handle(text, where, settings, runner))
        if is_job_id(text):
            text = find_job_output(text, mark.holds, where, runner, awaited)
        path = readable(text, where, settings)  # first, so that an answer says nothing about files outside
        refuse_special(path)
        if mark.holds in dataset_files():
            named = find_dataset(text, mark.holds, where, settings, runner, awaited)
            return str(readable(named, where, settings)) if named is not None else str(path)
        return str(path)

    return _map_marked(args, resolved)


def marked_paths(args: BaseModel) -> Iterator[tuple[str, PathMark | ModelMark, str]]:
    """Iterate over the marked strings of a model: dotted field name, mark, value."""
    found: list[tuple[str, PathMark | ModelMark, str]] = []

    def note(text: str, mark: PathMark | ModelMark, where: str) -> str:
        found.append((where, mark, text))
        return text

    _map_marked(args, note)
    return iter(found)


def inside_roots(text: str, where: str, settings: Settings) -> Path:
    """Resolve a path, symlinks and all, against the caller's folder, and refuse one outside the allowed roots.

    The refusal is the same whether or not something is there. Raises ``UserError``: ``path_outside_roots`` or
    ``path_unusable``.
    """
    # os.path.realpath, not Path.resolve: the latter raises on a loop of symlinks (Python < 3.13)
    path = Path(os.path.realpath(_as_written(text, where, settings)))
    if not is_inside(path, settings.roots):
        roots = ", ".join(str(root) for root in settings.roots)
        raise outside_roots(
            f"{where}={text!r} is outside the folders that this server may use: {roots}.",
            "Move or copy it into one of them, or add its folder to TTS_TRAIN_ROOTS in the server's "
            f'environment or to roots = ["…"] in {settings.home / "config.toml"}. The working directory is one of them '
            "unless it is the whole disk, a system folder or your home.",
        )
    try:
        path.stat()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise UserError(
                "path_unusable", f"{where}: {error.strerror}, {len(text)} characters.", "Give another path."
            ) from error
    return path


def _as_written(text: str, where: str, settings: Settings) -> Path:
    """Return the absolute path that a text names, links and all. Raises ``UserError``: ``path_unusable``."""
    if not text.strip() or "\0" in text:
        raise UserError("path_unusable", f"{where} is not a path: {text!r}.", "Give the path of a file or a folder.")
    if text.startswith("file://"):
        text = _path_of_uri(text, where)
    return settings.roots[0] / expand_user(text)


def default_place(path: Path, where: str, settings: Settings) -> Path:
    """Return the default path of an output, which no link beside an input leads elsewhere; in the home all are ours.

    Raises ``UserError``: ``path_is_link``, or as ``inside_roots``.
    """
    place = inside_roots(str(path), where, settings)
    if place != path and not path.is_relative_to(settings.home):
        raise UserError(
            "path_is_link",
            f"{path}, the default of {where}, is reached over a link and would be {place}.",
            f"Remove the link, which may have come with the files, or give {where}.",
        )
    return place


def writable(text: str, where: str, settings: Settings) -> Path:
    """Resolve the path of an output, which may not be the program's own: its source, environments and job store.

    A link to a folder that is there is followed; a link in place of a file is not.

    Raises ``UserError``: ``path_not_writable``, ``path_is_link``, or as ``inside_roots``.
    """
    path, written = inside_roots(text, where, settings), _as_written(text, where, settings)
    if written.is_symlink() and not path.is_dir():
        raise UserError(
            "path_is_link",
            f"{where}={text!r} is a link, and no folder is where it leads.",
            "Remove the link, which may have come with the files, or give another path.",
        )
    n_bytes = len(os.fsencode(path))
    if n_bytes > LONGEST_OUTPUT:
        raise UserError(
            "path_unusable", f"{where} has {n_bytes:,} bytes; at most {LONGEST_OUTPUT:,} are taken.", SHORTER
        )
    with_outputs = (settings.home, PROJECT_ROOT) if IS_CHECKOUT else (settings.home,)
    for own in (settings.home, settings.envs, PROJECT_ROOT, FILES):
        real = Path(os.path.realpath(own))
        if not path.is_relative_to(real):
            continue
        if own in with_outputs and OUTPUT_FOLDERS.intersection(path.relative_to(real).parts[:1]):
            return path
        raise UserError(
            "path_not_writable",
            f"{where}={text!r} is a part of tts-train itself: {real} holds its source, environments or jobs.",
            f"Choose a path outside of it, or in one of its folders {', '.join(sorted(OUTPUT_FOLDERS))}; without "
            f"{where} the output has its usual place.",
        )
    return path


def readable(text: str, where: str, settings: Settings) -> Path:
    """Resolve the path of an input. Of the home only outputs are inputs: the rest is settings, keys and job store.

    Raises ``UserError``: ``path_unusable``, or as ``inside_roots``.
    """
    path = inside_roots(text, where, settings)
    if is_of_home_itself(path, settings.home):
        raise UserError(
            "path_unusable",
            f"{where}={text!r} is no output of a job, and the home holds settings and keys beside those.",
            f"In the home give what is in {', '.join(sorted(INPUT_FOLDERS))}, or a job's outputs; move others out.",
        )
    return path


def resolve_handle(handle: str, where: str, settings: Settings, runner: Runner) -> Path:
    """Return the path of ``artifact://<job>/<name>``; what a job has published may lie outside this server's roots.

    Raises ``UserError``: as ``Runner.resolve`` and ``inside_roots``.
    """
    return inside_roots(str(runner.resolve(handle)), where, settings)


def _path_of_uri(uri: str, where: str) -> str:
    """Return the path of a local ``file://`` address."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # such as [ without ]
        parts = urlsplit("")
    path = unquote(parts.path)
    if not path or parts.netloc not in ("", "localhost") or "\0" in path:
        raise UserError("path_unusable", f"{where}={uri!r} is not a path on this machine.", "Give a local path.")
    return path


def _resolve_model(text: str, where: str, settings: Settings, runner: Runner, awaited: Collection[str]) -> str:
    if text == "toy" or text in WHISPER_SIZES:
        return text
    if text.startswith(HANDLE_PREFIX):
        return str(resolve_handle(text, where, settings, runner))
    if is_job_id(text):
        if (stopped := find_stopped_run(text, where, runner)) is not None:
            return str(inside_roots(stopped, where, settings))
        text = find_job_output(text, "voice", where, runner, awaited)
    is_path = text.startswith(("/", "~", "./", "../")) or text in (".", "..")
    if not is_path and HUB_ID.fullmatch(text):
        if not (settings.roots[0] / text).is_dir():
            return text
        if text.startswith(RELEASED):
            raise UserError(
                "name_ambiguous",
                f"{where}={text!r} is a released model, and a folder in the working directory.",
                f"Write ./{text} for the folder; give the folder another name to use the released model.",
            )
    path = inside_roots(text, where, settings)
    refuse_special(path)
    named = None if is_path else find_voice(text, where, settings, runner, awaited)
    if named is not None:
        return str(inside_roots(str(named), where, settings))
    if path.is_dir():
        return str(inside_roots(str(_export_in(path)), where, settings))
    if awaited and is_path and not path.exists():
        return str(path)
    raise UserError(
        "model_unavailable",
        f"{where}={text!r} is no folder of weights"
        + ("." if is_path else " here, no hub id, and no voice." + describe_voices(text, settings, runner)),
        "Give a hub id such as Qwen/Qwen3-TTS-12Hz-0.6B-Base, a folder, a voice's name, handle or job_id, or toy.",
    )


def _export_in(path: Path) -> Path:
    """Return the voice in an out_dir of start_training; any other folder as it is."""
    is_model = (path / "config.json").is_file()
    return path / "voice" if not is_model and (path / "voice" / "config.json").is_file() else path


def _map_marked(args: ModelT, change: Callable[[str, PathMark | ModelMark, str], str], prefix: str = "") -> ModelT:
    changed: dict[str, Any] = {}
    for name, field in type(args).model_fields.items():
        value = getattr(args, name)
        if (model := find_arguments(field)) is not None:
            mapped = _map_arguments(value, model, change, f"{prefix}{name}.")
        else:
            mapped = _map_value(value, find_mark(field), change, prefix + name)
        if mapped is not value:
            changed[name] = mapped
    return args.model_copy(update=changed) if changed else args


def _map_arguments(
    values: dict[str, Any],
    model: type[BaseModel],
    change: Callable[[str, PathMark | ModelMark, str], str],
    prefix: str,
) -> dict[str, Any]:
    """Map the marked values among another tool's arguments; its own check finds those that it does not know."""
    fields = model.model_fields
    mapped = {
        name: _map_value(value, find_mark(fields[name]), change, prefix + name) if name in fields else value
        for name, value in values.items()
    }
    return values if mapped == values else mapped


def _map_value(
    value: Any, mark: PathMark | ModelMark | None, change: Callable[[str, PathMark | ModelMark, str], str], where: str
) -> Any:
    if isinstance(value, BaseModel):
        return _map_marked(value, change, where + ".")
    if isinstance(value, list):
        mapped = [_map_value(item, mark, change, f"{where}.{place}") for place, item in enumerate(value)]
        return mapped if any(new is not old for new, old in zip(mapped, value, strict=True)) else value
    if isinstance(value, str) and mark is not None:
        return change(value, mark, where)
    return value
