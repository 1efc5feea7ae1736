"""Takes of passages in the output folder: one wav each, and a journal of what was measured and decided.

Names follow from the content, so a killed job continues, and a job of an edited text finds what has not changed.
"""

import re
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, read_clip, write_clip
from jobs.dataset.manifest import LONGEST_TEXT
from jobs.files.folders import make_folder, remove
from jobs.narrate.params import MOST_REASONS
from jobs.rating.measurements import Measurements
from jobs.runner.worker.journal import Journal

JOURNAL = "takes.jsonl"
Form = TypeVar("Form", bound=BaseModel)
_WAV = re.compile(r"([0-9a-f]{24})_(\d{1,3})\.wav")
LONGEST_S = 700.0
MOST_TAKES = 999  # three digits in a name


class SpokenTake(BaseModel):
    """A take that was spoken; ``measured`` is None without full checks."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    duration_s: float = Field(ge=0, le=LONGEST_S)
    hit_limit: bool
    measured: Measurements | None = None


class KeptTake(BaseModel):
    """The take that is used for a passage: the first that passes the checks, else the best.

    Attributes:
        attempt: its number.
        reasons: why it is doubtful; empty: it passes.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    attempt: int = Field(ge=1, le=MOST_TAKES)
    rating: float | None = Field(ge=0, le=5)
    reasons: tuple[Annotated[str, Field(max_length=LONGEST_TEXT)], ...] = Field((), max_length=MOST_REASONS)


class TakeStore:
    """The folder of takes; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_folder(folder)
        self._journal = Journal(folder / JOURNAL)

    def __enter__(self) -> "TakeStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.__exit__(kind, error, trace)

    def path(self, key: str, attempt: int) -> Path:
        """Return the wav of an attempt."""
        return self.folder / f"{key}_{attempt}.wav"

    def find(self, key: str, attempt: int) -> SpokenTake | None:
        """Return an attempt that was spoken and measured, and whose wav is there."""
        value = self._journal.get(f"take {key} {attempt}")
        if value is None or not self._is_there(key, attempt):
            return None
        return _parse(SpokenTake, value)

    def find_kept(self, key: str, policy: str) -> KeptTake | None:
        """Return the decision that was made for a passage under a policy, if its take is still there."""
        kept = _parse(KeptTake, self._journal.get(f"kept {key} {policy}"))
        return kept if kept is not None and self._is_there(key, kept.attempt) else None

    def _is_there(self, key: str, attempt: int) -> bool:
        """Return whether the wav is there; a link, which this store never makes, counts as none."""
        path = self.path(key, attempt)
        return path.is_file() and not path.is_symlink()

    def write(self, key: str, attempt: int, samples: Samples) -> Path:
        """Write the wav of an attempt; it counts when it is noted."""
        path = self.path(key, attempt)
        write_clip(path, samples, CLIP_RATE_HZ)
        return path

    def note(self, key: str, attempt: int, take: SpokenTake) -> None:
        """Note an attempt."""
        self._journal.add(f"take {key} {attempt}", take.model_dump(mode="json"))

    def decide(self, key: str, policy: str, kept: KeptTake) -> None:
        """Note which attempt is used."""
        self._journal.add(f"kept {key} {policy}", kept.model_dump(mode="json"))

    def read(self, key: str, attempt: int) -> Samples:
        """Read the samples of an attempt."""
        return read_clip(self.path(key, attempt), CLIP_RATE_HZ, LONGEST_S)

    def remove_others(self, kept: Collection[tuple[str, int]]) -> None:
        """Delete the noted takes of these passages that are not used; those of other texts, and other files, stay."""
        keys, names = {key for key, _ in kept}, {self.path(*take).name for take in kept}
        for path in sorted(self.folder.iterdir()):
            found = _WAV.fullmatch(path.name)
            if found is None or found[1] not in keys or path.name in names:
                continue
            if path == self.path(found[1], int(found[2])) and self.find(found[1], int(found[2])) is not None:
                remove(path)


def _parse(form: type[Form], value: object) -> Form | None:
    """Read what the journal holds, which lies where anybody may have written it; None: it is of another form."""
    try:
        return None if value is None else form.model_validate(value)
    except ValidationError:
        return None
