"""What is to be rated against whom: the takes, each with its narrator's clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.rate_samples.narrator_clips import NarratorClip, choose, narrators
from jobs.speech.manifest import Row, check_audio_inside, read_rows


class Take(Row):
    """What is read of a line of ``takes.jsonl``."""

    audio: str
    text: str = ""
    speaker: str | None = None
    language: str = "auto"
    hit_limit: bool = False


@dataclass(frozen=True)
class Asked:
    """A take to rate.

    Attributes:
        path: its audio.
        narrator: the speaker it is compared with.
        language: the take's own, or the narrator's when synthesis was left to guess.
    """

    take: Take
    path: Path
    narrator: str
    language: str


@dataclass(frozen=True)
class Plan:
    """Takes in order, and the clips to measure of every narrator that they need."""

    asked: list[Asked]
    clips: dict[str, list[NarratorClip]]


def plan(takes_file: Path, manifest: Path, max_narrator_clips: int) -> Plan:
    """Read both manifests.

    Raises:
        UserError: ``takes_empty``, ``takes_missing``, ``narrator_ambiguous``, ``narrator_clips_too_few``,
            ``path_outside_dataset``, ``manifest_unreadable``.
    """
    by_speaker = narrators(manifest)
    asked: list[Asked] = []
    clips: dict[str, list[NarratorClip]] = {}
    for take in read_rows(takes_file, Take):
        path = check_audio_inside(takes_file, takes_file.parent, take.audio)
        if not path.is_file():
            raise UserError("take_missing", f"{takes_file} names {take.audio!r}, and {path} is not there.", _AGAIN)
        narrator = _narrator_of(take, list(by_speaker), manifest)
        if narrator not in clips:
            clips[narrator] = choose(by_speaker[narrator], manifest, max_narrator_clips)
        language = clips[narrator][0].language if take.language == "auto" else take.language.lower()
        asked.append(Asked(take, path, narrator, language))
    if not asked:
        raise UserError("takes_empty", f"{takes_file} has no lines.", _AGAIN)
    return Plan(asked, clips)


_AGAIN = "Make the takes again with synthesize, and give the takes.jsonl that it writes."


def _narrator_of(take: Take, speakers: Sequence[str], manifest: Path) -> str:
    if take.speaker in speakers:
        return str(take.speaker)
    if len(speakers) == 1:
        return speakers[0]
    raise UserError(
        "narrator_ambiguous",
        f"{take.audio} is spoken by {take.speaker!r}, and {manifest} has the speakers {', '.join(speakers)}.",
        "Give the manifest of the one narrator that the takes should sound like.",
    )
