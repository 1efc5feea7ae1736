"""The record of corrections, a line each. Imports pydantic and the standard library only."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field, ValidationError, model_validator

from jobs.dataset.corrections.places import parse_place
from jobs.dataset.manifest import LONGEST_READ_S, MAX_NAME, Row, Text, file_inside
from jobs.errors import UserError
from jobs.files.appending import append_lines
from jobs.files.reading import LONGEST_PATH, read_lines
from jobs.param_types import Strict, Untrusted, first_fault

CORRECTIONS = "corrections.jsonl"
"""In the dataset's folder."""
CORRECTION_OF = "correction_of"
"""Field of a corrected line of the manifest: key of the ingest's clip or rejection that it follows from."""
MOST_PARTS = 8
MOST_JOINED = 100
"""Newest corrections of a clip that a new one is compared with."""
SHORTEST_S = 0.1
Action: TypeAlias = Literal["change", "drop", "keep", "reference", "undo"]
Seconds = Annotated[float, Field(ge=0, le=1e9)]


class Part(Strict):
    """Text and borders of a clip, or of a part of it; what is not given stays as it is."""

    text: Text | None = Field(None, description="What is spoken.")
    start_s: Seconds | None = Field(None, description="In the recording, seconds.")
    end_s: Seconds | None = None

    @model_validator(mode="after")
    def _is_long_enough(self) -> Part:
        is_bounded = self.start_s is not None and self.end_s is not None
        if is_bounded and not SHORTEST_S <= self.end_s - self.start_s <= LONGEST_READ_S:  # type: ignore[operator]
            raise ValueError(f"end_s must be {SHORTEST_S} to {LONGEST_READ_S:.0f} s after start_s")
        if self.text is not None and not any(character.isalnum() for character in self.text):
            raise ValueError("text has no words; use action=drop for a clip to leave out")
        return self


class Correction(Row):
    """A line of ``corrections.jsonl``.

    Attributes:
        id: of the line, random.
        at: when, in seconds since 1970.
        clip: key of the clip or rejection, see ``key_of``.
        audio: name of its file then, for people.
        action: ``change`` sets the parts; ``drop`` leaves the clip out; ``keep`` takes a rejection, or a dropped clip
            again; ``reference`` makes it the speaker's reference clip; ``undo`` takes back the line ``undoes``.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    id: str = Field(max_length=64)
    at: float = Field(ge=0, le=1e11)
    who: str = Field("", max_length=MAX_NAME)
    clip: Untrusted = Field(max_length=LONGEST_PATH)
    audio: Untrusted = Field("", max_length=LONGEST_PATH)
    action: Action
    parts: list[Part] = Field(default_factory=list, max_length=MOST_PARTS)
    undoes: str = Field("", max_length=64)
    note: str = Field("", max_length=2000)

    @model_validator(mode="after")
    def _has_parts(self) -> Correction:
        _check_parts(self.action, self.parts)
        return self


class Change(Strict):
    """A correction as a person or an agent asks for it."""

    clip: str = Field(max_length=LONGEST_PATH, description="audio of its line, or RECORDING@START-END of a rejection.")
    action: Action = Field("change", description="undo: the clip's last one.")
    parts: list[Part] = Field(
        default_factory=list, max_length=MOST_PARTS, description="One to change text or borders; several to split."
    )
    note: str = Field("", max_length=2000)
    seen: str | None = Field(
        None, max_length=64, description="id of the clip's last correction that you know; a newer one is a conflict."
    )

    @model_validator(mode="after")
    def _has_parts(self) -> Change:
        _check_parts(self.action, self.parts)
        return self


def _check_parts(action: Action, parts: Sequence[Part]) -> None:
    if (action == "change") != bool(parts):
        raise ValueError("action=change needs parts, and no other action takes any")
    if len(parts) > 1 and any(None in (part.text, part.start_s, part.end_s) for part in parts):
        raise ValueError("each of several parts needs text, start_s and end_s")


def record_of(dataset: Path) -> Path:
    """Return the path of a dataset's record. Raises ``UserError``: ``path_outside_dataset``."""
    return file_inside(dataset, CORRECTIONS)


def read_corrections(path: Path) -> list[Correction]:
    """Read a record, empty if missing.

    A line that is no whole JSON was cut off by a power cut before anyone had an answer, and is passed over.

    Raises:
        UserError: ``manifest_unreadable`` with the line, as ``read_lines``.
    """
    if not path.is_file():
        return []
    found: list[Correction] = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            found.append(Correction.model_validate_json(line))
        except ValidationError as error:
            if not _is_json(line):
                continue
            raise UserError(
                "manifest_unreadable", f"{path}, line {number}: {first_fault(error)}.", "Correct or delete that line."
            ) from error
    return found


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def record(
    dataset: Path, changes: Sequence[Change], keys: Sequence[str], audios: Sequence[str], who: str
) -> list[Correction]:
    """Append corrections, all or none, on the disk when this returns.

    Args:
        dataset: folder.
        changes: asked for.
        keys: of their clips, see ``key_of``.
        audios: names of their files.
        who: asks.

    Raises:
        UserError: ``correction_conflict``: another one of the same clip came in between; ``nothing_to_undo``;
            ``bad_arguments``: borders that contradict earlier ones; ``manifest_unreadable``; as ``append_lines``.
    """
    path = record_of(dataset)
    made: list[Correction] = []

    def make_lines() -> list[str]:
        known: dict[str, list[Correction]] = {key: [] for key in keys}
        for one in read_corrections(path):
            if one.clip in known:
                known[one.clip].append(one)
        newest = {key: said[-1] if said else None for key, said in known.items()}
        standing = {key: in_force(said) for key, said in known.items()}
        for change, key, audio in zip(changes, keys, audios, strict=True):
            before = newest[key]
            if change.seen is not None and change.seen != (before.id if before else ""):
                raise _conflict(audio or key, before)
            made.append(_make(change, key, audio, standing[key], who))
        return [one.model_dump_json(exclude_defaults=True) for one in made]

    append_lines(path, make_lines)
    return made


def _make(change: Change, key: str, audio: str, standing: list[Correction], who: str) -> Correction:
    """Return the correction for a change, and update those in force."""
    undoes = ""
    if change.action == "undo":
        if not standing:
            raise UserError("nothing_to_undo", f"{audio or key} has no correction in force.", "Nothing was recorded.")
        undoes = standing.pop().id
    elif len(change.parts) == 1:
        parts = wanted_parts(standing[-MOST_JOINED:])
        if len(parts) == 1 and join(parts[0], change.parts[0]) is None:
            raise UserError(
                "bad_arguments",
                f"The borders of {audio or key} contradict those that were stored before: {_borders(parts[0])}.",
                "Nothing was recorded. Give both start_s and end_s.",
            )
        _check_borders(join(parts[0], change.parts[0]) if len(parts) == 1 else change.parts[0], key, audio)
    made = Correction(
        id=secrets.token_hex(6),
        at=round(time.time(), 3),
        who=who,
        clip=key,
        audio=audio,
        action=change.action,
        parts=change.parts,
        undoes=undoes,
        note=change.note,
    )
    if change.action != "undo":
        standing.append(made)
    return made


def _check_borders(part: Part | None, key: str, audio: str) -> None:
    """Raise ``UserError`` for a border that contradicts the other one, which is the ingest's."""
    place = parse_place(key)
    if part is None or place is None or (part.start_s is None) == (part.end_s is None):
        return
    start_s = place[1].start_s if part.start_s is None else part.start_s
    end_s = place[1].end_s if part.end_s is None else part.end_s
    if not SHORTEST_S <= end_s - start_s <= LONGEST_READ_S:
        raise UserError(
            "bad_arguments",
            f"{audio or key} would be from {start_s:g} to {end_s:g} s.",
            f"Nothing was recorded. end_s must be {SHORTEST_S} to {LONGEST_READ_S:.0f} s after start_s.",
        )


def _borders(part: Part) -> str:
    return ", ".join(f"{name}={value:g}" for name in ("start_s", "end_s") if (value := getattr(part, name)) is not None)


def wanted_parts(standing: Sequence[Correction]) -> tuple[Part, ...]:
    """Return the parts that the corrections in force of one clip want; none: as the ingest has it."""
    parts: tuple[Part, ...] = ()
    for one in standing:
        if one.action == "change" and len(one.parts) == len(parts) == 1:
            text = one.parts[0].text or parts[0].text
            parts = (join(parts[0], one.parts[0]) or one.parts[0].model_copy(update={"text": text}),)
        elif one.action == "change":
            parts = tuple(one.parts)
    return parts


def join(earlier: Part, later: Part) -> Part | None:
    """Return the later wish, with what it leaves open from the earlier one; None: their borders contradict."""
    try:
        return Part(**{**earlier.model_dump(exclude_none=True), **later.model_dump(exclude_none=True)})
    except ValidationError:
        return None


def in_force(corrections: Sequence[Correction]) -> list[Correction]:
    """Return the corrections that were not taken back, without the lines that took others back."""
    undone = {one.undoes for one in corrections if one.action == "undo"}
    return [one for one in corrections if one.action != "undo" and one.id not in undone]


def _conflict(name: str, newest: Correction | None) -> UserError:
    if newest is None:
        said = "its correction that was named is not in the record"
    else:
        when = time.strftime("%H:%M:%S", time.localtime(newest.at))
        said = f"{newest.who or 'somebody'} said {newest.action} at {when}" + "".join(
            f": {part.text}" for part in newest.parts[:1] if part.text
        )
    return UserError(
        "correction_conflict",
        f"{name} was corrected in between: {said}.",
        "Nothing was recorded. Look at the clip as it is now, then correct it again.",
    )
