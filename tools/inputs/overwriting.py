"""Refusal of outputs that are inputs of the same call, also by another name: a link, a hard link, other case."""

from collections.abc import Iterator
from pathlib import Path

from jobs.errors import UserError
from jobs.param_types import ModelMark, PathMark, Strict
from jobs.qwen.model_files import CODEC
from jobs.runner.job_kind import all_kinds
from tools.inputs.paths import marked_paths


def refuse_overwriting(params: Strict) -> None:
    """Check that no output of a call is one of its inputs, the file that an input folder stands for, or its codec.

    Raises ``UserError``: ``output_is_input``.
    """
    marked = [found for found in marked_paths(params) if found[2]]
    paths = [(where, mark, value) for where, mark, value in marked if isinstance(mark, PathMark)]
    inputs = {
        identity: where
        for where, mark, value in paths
        if mark.direction == "input"
        for identity in _identities(Path(value), mark)
    }
    models = [(where, Path(value)) for where, mark, value in marked if isinstance(mark, ModelMark)]
    inputs |= {_identity(part): where for where, path in models if path.is_absolute() for part in (path, path / CODEC)}
    for where, mark, value in paths:
        read_as = inputs.get(_identity(Path(value))) if mark.direction == "output" else None
        if read_as is not None:
            raise UserError(
                "output_is_input", f"{where} would be written over {read_as}: {value}.", f"Give {where} another path."
            )


def _identities(path: Path, mark: PathMark) -> Iterator[object]:
    yield _identity(path)
    if not path.is_dir():
        return
    for kind in all_kinds().values():
        yield from (_identity(path / output.file_name) for output in kind.outputs if output.holds == mark.holds)


def _identity(path: Path) -> object:
    """Device and number of what is there; the path where nothing is."""
    try:
        found = path.stat()
    except OSError:
        return str(path)
    return found.st_dev, found.st_ino
