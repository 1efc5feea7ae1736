"""Field types that say what a string means, so that every door resolves paths and models in the same way.

The tools walk a model's fields for these marks and put absolute paths in their place, after the check against
the allowed roots. Light: pydantic only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic.config import JsonDict

Holds = Literal["", "ingested", "aligned", "coded", "takes", "config", "voice"]


@dataclass(frozen=True)
class PathMark:
    """A string that names a file or folder, or an ``artifact://`` handle when it is an input."""

    direction: Literal["input", "output"]
    holds: Holds = ""
    """What the file is, so that a dataset's name or a job's id can stand for it."""


@dataclass(frozen=True)
class ModelMark:
    """A string that names model weights: a hub id, a directory, an ``artifact://`` handle or ``toy``."""


InputPath = Annotated[str, PathMark("input")]
IngestedManifest = Annotated[str, PathMark("input", "ingested")]
AlignedManifest = Annotated[str, PathMark("input", "aligned")]
CodedManifest = Annotated[str, PathMark("input", "coded")]
TakesPath = Annotated[str, PathMark("input", "takes")]
ConfigPath = Annotated[str, PathMark("input", "config")]
OutputPath = Annotated[str, PathMark("output")]
ModelRef = Annotated[str, ModelMark()]

RARE: JsonDict = {"rare": True}
"""``Field(json_schema_extra=RARE)``: a parameter that few calls need. Tool listings name it, with type and range, in
the object ``more``, and leave its description to the tool's help: an agent pays for every word of all tools at once."""

# Any plain value; not as a union in the schema, which some clients refuse. Whoever takes it checks it.
Value = Annotated[bool | int | float | str, WithJsonSchema({})]

# What Qwen3-TTS speaks; "auto" leaves the language prefix out.
Language = Literal[
    "auto",
    "english",
    "chinese",
    "japanese",
    "korean",
    "german",
    "french",
    "russian",
    "portuguese",
    "spanish",
    "italian",
]


class Strict(BaseModel):
    """A model that refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid")
