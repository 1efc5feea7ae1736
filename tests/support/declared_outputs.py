"""Names that a run has left beside its outputs, compared with what its kind declares."""

from collections.abc import Collection
from pathlib import Path

from jobs.files.output_marks import RECORDS
from jobs.runner.job_kind import JobKind
from jobs.runner.outputs import find_places


def list_undeclared(kind: JobKind, before: Collection[str] = (), **outputs: Path) -> list[str]:
    """List the names in the folders of outputs that the kind does not declare in ``makes``.

    Args:
        kind: of the run.
        before: names that were there before the run.
        outputs: the paths that the run wrote to, by parameter; all in one folder.
    """
    given = dict.fromkeys(kind.params.model_fields) | {name: str(path) for name, path in outputs.items()}
    places = find_places(kind, kind.params.model_construct(**given), Path("/no home"))
    declared = {name for place in places for name in place.existing()}
    return sorted(
        path.name
        for folder in {place.folder for place in places}
        for path in folder.iterdir()
        if path.name not in {*declared, *before, RECORDS}
    )
