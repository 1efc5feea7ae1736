"""What the takes' ratings are held against, rated in the same run: the narrator himself, another voice, a clone.

The narrator's held-out clips are what a rating can reach, another speaker is what it must not reach, and a zero-shot
clone is what one has without training. Every anchor clip is written to ``anchors/`` so that a report can play it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, read_clip, write_clip
from jobs.dataset.manifest import Clip, read_rows
from jobs.dataset.split import sample_evenly
from jobs.dataset.takes import Take, find_takes_file, read_takes
from jobs.errors import UserError
from jobs.rate_samples.inputs import Asked, Plan, asked_of, narrator_of
from jobs.rate_samples.narrator_clips import narrator_clip
from jobs.settings import PROJECT_ROOT

ANCHORS = ("narrator", "other_speaker", "zero_shot")
FOLDER = "anchors"
CARRIED = PROJECT_ROOT / "samples" / "fables.m4b"
AUDIO_ENDINGS = frozenset({".wav", ".flac", ".mp3", ".m4a", ".m4b", ".ogg", ".opus"})
LONGEST_PIECE_S = 8.0
_PAUSE_S = 0.7  # the carried recording has 1.1 s between its sentences, and less within them
_LOUD = 0.01


@dataclass(frozen=True)
class Anchor:
    """What is rated, and what it is; nothing to rate leaves only a note that says why."""

    note: str
    asked: list[Asked] = field(default_factory=list)


def anchors_of(
    plan: Plan, manifest: Path, out: Path, n_clips: int, *, other_speaker: Path | None, zero_shot_takes: Path | None
) -> dict[str, Anchor]:
    """Choose the anchors' clips and write them beside the ratings.

    Args:
        plan: of the takes; its held-out clips are the narrator's anchor.
        manifest: the narrator's.
        out: folder of the ratings.
        n_clips: most clips for each anchor but the clone, all of whose takes are rated; 0: no anchors.
        other_speaker: another voice: a manifest, a recording or a folder of recordings.
        zero_shot_takes: ``takes.jsonl`` of a clone.

    Raises:
        UserError: ``anchor_unreadable``, and those of ``plan``.
    """
    folder = out / FOLDER
    zero_shot = _zero_shot(plan, manifest, zero_shot_takes, folder)
    if n_clips == 0:
        none = Anchor("not asked for (anchor_clips is 0)")
        return {"narrator": none, "other_speaker": none, "zero_shot": zero_shot}
    return {
        "narrator": _narrator(plan, manifest, folder),
        "other_speaker": _other(plan, manifest, folder, n_clips, other_speaker),
        "zero_shot": zero_shot,
    }


def _narrator(plan: Plan, manifest: Path, folder: Path) -> Anchor:
    asked: list[Asked] = []
    for narrator, clips in plan.held_out.items():
        for clip in clips:
            name = f"narrator-{len(asked) + 1:02d}"
            asked.append(_recorded(clip, manifest, narrator, folder, name))
    if not asked:
        return Anchor("the manifest has too few clips to hold any out of the narrator's profile")
    n_apart = sum(clip.split == "validation" for clips in plan.held_out.values() for clip in clips)
    rest = "the others may have been learnt by the voice, but are no part of the profile"
    return Anchor(
        f"{_counted(len(asked), 'recording')} of {_names(plan)}, not in the profile; {n_apart} of the validation split"
        + ("" if n_apart == len(asked) else f" ({rest})"),
        asked,
    )


def _other(plan: Plan, manifest: Path, folder: Path, n_clips: int, given: Path | None) -> Anchor:
    narrator, language = next(iter(plan.clips)), next(iter(plan.clips.values()))[0].language
    if given is not None:
        spoken = _given(given, n_clips)
        note = f"{_counted(len(spoken), 'clip')} of {given.name}, given as another speaker"
        return Anchor(note, _spoken(spoken, narrator, language, folder))
    others = {speaker: clips for speaker, clips in plan.by_speaker.items() if speaker != narrator}
    if others:
        chosen = sample_evenly([clip for clips in others.values() for clip in clips if clip.text.strip()], n_clips)
        asked = [
            _recorded(clip, manifest, narrator, folder, f"other-{number:02d}") for number, clip in enumerate(chosen, 1)
        ]
        whose = f"the manifest's other speakers ({', '.join(others)}), against {narrator}"
        note = f"{_counted(len(asked), 'recording')} of {whose}"
        return Anchor(note, asked)
    note = (
        f"the synthetic voice of the carried sample ({CARRIED.name}), since no recording of another person was given: "
        "a real one with the same pitch comes nearer (give other_speaker)"
    )
    return Anchor(note, _spoken(carried_voice()[:n_clips], narrator, "english", folder))


def _zero_shot(plan: Plan, manifest: Path, takes_file: Path | None, folder: Path) -> Anchor:
    if takes_file is None:
        return Anchor("no takes of a clone were given (zero_shot_takes)")
    takes_file = find_takes_file(takes_file)
    asked: list[Asked] = []
    for take in read_takes(takes_file):
        speakers = list(plan.clips)
        narrator = narrator_of(take, speakers, manifest)
        given = asked_of(take, takes_file, narrator, plan.clips[narrator][0].language)
        copy = _copied(given.path, folder, f"zero_shot-{len(asked) + 1:02d}")
        asked.append(replace(given, take=take.model_copy(update={"audio": _name(copy)}), path=copy))
    if not asked:
        raise UserError("takes_empty", f"{takes_file} has no lines.", "Give takes.jsonl of a clone.")
    return Anchor(
        f"{_counted(len(asked), 'take')} of {asked[0].take.model or takes_file}, cloned without training", asked
    )


def carried_voice() -> list[tuple[str, Samples]]:
    """Sentences of the sample audiobook that the project carries: text, audio at 24 kHz."""
    audio = read_clip(CARRIED, CLIP_RATE_HZ)
    texts = [line for line in CARRIED.with_suffix(".txt").read_text(encoding="utf-8").splitlines() if line]
    return list(zip(texts, spoken_stretches(audio, _PAUSE_S), strict=True))


def spoken_stretches(audio: Samples, pause_s: float) -> list[Samples]:
    """Audio at 24 kHz cut at its pauses, each stretch with a tenth of a second around it."""
    window, margin = CLIP_RATE_HZ // 50, CLIP_RATE_HZ // 10
    levels = np.abs(audio[: len(audio) // window * window]).reshape(-1, window).max(axis=1)
    loud = np.flatnonzero(levels > _LOUD)
    if not len(loud):
        return []
    gaps = np.flatnonzero(np.diff(loud) > pause_s * 50)
    starts, ends = [loud[0], *loud[gaps + 1]], [*loud[gaps], loud[-1]]
    return [
        audio[max(0, first * window - margin) : (last + 1) * window + margin]
        for first, last in zip(starts, ends, strict=True)
    ]


def _given(path: Path, n_clips: int) -> list[tuple[str, Samples]]:
    """Clips of a manifest, of a folder of recordings or of one recording; the words of a recording are not known."""
    if path.suffix == ".jsonl":
        clips = sample_evenly(list(read_rows(path, Clip)), n_clips)
        found = [(clip.text, read_clip(narrator_clip(clip, path).path, CLIP_RATE_HZ)) for clip in clips]
    elif path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.suffix.lower() in AUDIO_ENDINGS][:n_clips]
        found = [("", read_clip(file, CLIP_RATE_HZ)[: int(LONGEST_PIECE_S * CLIP_RATE_HZ)]) for file in files]
    else:
        found = [("", piece) for piece in _pieces(read_clip(path, CLIP_RATE_HZ), n_clips)]
    if not found:
        raise UserError(
            "anchor_unreadable",
            f"other_speaker={path} holds no speech that could be used.",
            "Give a manifest, a recording or a folder of recordings of another person.",
        )
    return found


def _pieces(audio: Samples, n_clips: int) -> list[Samples]:
    """Pieces of a recording of any length, evenly spread, none longer than ``LONGEST_PIECE_S``."""
    length = int(LONGEST_PIECE_S * CLIP_RATE_HZ)
    if len(audio) <= length:
        return [audio]
    n = min(n_clips, len(audio) // length)
    return [audio[start : start + length] for start in np.linspace(0, len(audio) - length, n, dtype=int)]


def _recorded(clip: Clip, manifest: Path, narrator: str, folder: Path, name: str) -> Asked:
    """A manifest's clip, to be rated against a narrator."""
    copy = _copied(narrator_clip(clip, manifest).path, folder, name)
    return Asked(Take(audio=_name(copy), text=clip.text), copy, narrator, clip.language.lower())


def _spoken(spoken: Sequence[tuple[str, Samples]], narrator: str, language: str, folder: Path) -> list[Asked]:
    asked = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, (text, audio) in enumerate(spoken, 1):
        path = folder / f"other-{number:02d}.wav"
        write_clip(path, audio, CLIP_RATE_HZ)
        asked.append(Asked(Take(audio=_name(path), text=text), path, narrator, language))
    return asked


def _copied(path: Path, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{name}{path.suffix}"
    shutil.copyfile(path, copy)
    return copy


def _name(path: Path) -> str:
    return f"{FOLDER}/{path.name}"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def _names(plan: Plan) -> str:
    return " and ".join(plan.held_out)
