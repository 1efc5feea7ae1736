"""What is to be rated against whom: the takes, each with its narrator's clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.dataset.manifest import Clip, check_audio_inside
from jobs.dataset.takes import Take, read_takes
from jobs.errors import UserError
from jobs.rate_samples.narrator_clips import NarratorClip, choose, hold_out, narrators


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
    """Takes in order, and of every narrator that they need the clips to measure and those held out.

    Attributes:
        clips: what the profiles are made of, by speaker.
        held_out: clips that are rated as takes are, by speaker; never among ``clips``.
        by_speaker: all clips of the manifest.
    """

    asked: list[Asked]
    clips: dict[str, list[NarratorClip]]
    held_out: dict[str, list[Clip]]
    by_speaker: dict[str, list[Clip]]


def plan(takes_file: Path, manifest: Path, max_narrator_clips: int, n_held_out: int = 0) -> Plan:
    """Read both manifests.

    Raises:
        UserError: ``takes_empty``, ``take_missing``, ``narrator_ambiguous``, ``narrator_clips_too_few``,
            ``path_outside_dataset``, ``manifest_unreadable``.
    """
    by_speaker = narrators(manifest)
    made = Plan([], {}, {}, by_speaker)
    for take in read_takes(takes_file):
        narrator = narrator_of(take, list(by_speaker), manifest)
        if narrator not in made.clips:
            rest, made.held_out[narrator] = hold_out(by_speaker[narrator], n_held_out)
            made.clips[narrator] = choose(rest, manifest, max_narrator_clips)
        made.asked.append(asked_of(take, takes_file, narrator, made.clips[narrator][0].language))
    if not made.asked:
        raise UserError("takes_empty", f"{takes_file} has no lines.", _AGAIN)
    return made


def asked_of(take: Take, takes_file: Path, narrator: str, language: str) -> Asked:
    """A take with its path.

    Raises:
        UserError: ``take_missing``, ``path_outside_dataset``.
    """
    path = check_audio_inside(takes_file, takes_file.parent, take.audio)
    if not path.is_file():
        raise UserError("take_missing", f"{takes_file} names {take.audio!r}, and {path} is not there.", _AGAIN)
    return Asked(take, path, narrator, language if take.language == "auto" else take.language.lower())


_AGAIN = "Make the takes again with synthesize, and give the takes.jsonl that it writes."


def narrator_of(take: Take, speakers: Sequence[str], manifest: Path) -> str:
    """The speaker that a take is compared with.

    Raises:
        UserError: ``narrator_ambiguous``.
    """
    if take.speaker in speakers:
        return str(take.speaker)
    if len(speakers) == 1:
        return speakers[0]
    raise UserError(
        "narrator_ambiguous",
        f"{take.audio} is spoken by {take.speaker!r}, and {manifest} has the speakers {', '.join(speakers)}.",
        "Give the manifest of the one narrator that the takes should sound like.",
    )
