"""Inputs of a rating: the takes, each with the narrator that it is compared with, and the narrators' clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.dataset.audio_roots import OWN_FOLDER, AudioRoots
from jobs.dataset.manifest import Clip
from jobs.dataset.takes import Take, read_takes
from jobs.errors import UserError
from jobs.rating.narrator_clips import NarratorClip, choose_profile_clips, hold_out, read_clips_by_speaker

_HINT = "Make the takes again with synthesize, and give the takes.jsonl that it writes."


@dataclass(frozen=True)
class RatingItem:
    """A take or anchor clip to rate against a narrator; ``language`` is the narrator's if the take has "auto"."""

    take: Take
    path: Path
    narrator: str
    language: str


@dataclass(frozen=True)
class RatingInputs:
    """Takes in order, and narrators' clips by speaker: for the profile, held out to be rated like takes, and all."""

    manifest: Path
    items: list[RatingItem]
    clips: dict[str, list[NarratorClip]]
    held_out: dict[str, list[Clip]]
    by_speaker: dict[str, list[Clip]]
    roots: AudioRoots = OWN_FOLDER


def read_inputs(
    takes_file: Path, manifest: Path, max_narrator_clips: int, n_held_out: int = 0, roots: AudioRoots = OWN_FOLDER
) -> RatingInputs:
    """Read takes and manifest.

    Raises:
        UserError: ``takes_empty``, ``take_missing``, ``narrator_ambiguous``, ``narrator_clips_too_few``,
            ``path_outside_dataset``, ``manifest_unreadable``.
    """
    by_speaker = read_clips_by_speaker(manifest)
    inputs = RatingInputs(manifest, [], {}, {}, by_speaker, roots)
    for take in read_takes(takes_file):
        narrator = find_narrator(take, list(by_speaker), manifest)
        if narrator not in inputs.clips:
            rest, inputs.held_out[narrator] = hold_out(by_speaker[narrator], n_held_out)
            inputs.clips[narrator] = choose_profile_clips(rest, manifest, max_narrator_clips, roots)
        inputs.items.append(resolve_take(take, takes_file, narrator, inputs.clips[narrator][0].language))
    if not inputs.items:
        raise UserError("takes_empty", f"{takes_file} has no lines.", _HINT)
    return inputs


def resolve_take(take: Take, takes_file: Path, narrator: str, language: str) -> RatingItem:
    """Find the audio of a take; raise ``take_missing`` or ``path_outside_dataset``."""
    path = OWN_FOLDER.find(takes_file, takes_file.parent, take.audio)
    if not path.is_file():
        raise UserError("take_missing", f"{takes_file} names {take.audio!r}, and {path} does not exist.", _HINT)
    return RatingItem(take, path, narrator, language if take.language == "auto" else take.language.lower())


def find_narrator(take: Take, speakers: Sequence[str], manifest: Path) -> str:
    """Find the speaker that a take is compared with; raise ``narrator_ambiguous``."""
    if take.speaker in speakers:
        return str(take.speaker)
    if len(speakers) == 1:
        return speakers[0]
    raise UserError(
        "narrator_ambiguous",
        f"{take.audio} is spoken by {take.speaker!r}, and {manifest} has the speakers {', '.join(speakers)}.",
        "Give the manifest of the one narrator that the takes should sound like.",
    )
