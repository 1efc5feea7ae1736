"""Anchors: clips rated in the same run as the takes, for comparison.

The narrator's held-out clips give an upper bound, another speaker a lower bound, and a zero-shot clone the result
without training. Every anchor clip is written to ``anchors/``, so that a report can play it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from jobs.audio import AUDIO_SUFFIXES
from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, read_clip, write_clip
from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.manifest import Clip, read_rows
from jobs.dataset.split import sample_evenly
from jobs.dataset.takes import Take, find_takes_file, read_takes
from jobs.errors import UserError
from jobs.files.copying import copy_file
from jobs.files.folders import make_folder
from jobs.installation import FILES
from jobs.rate_samples.inputs import RatingInputs, RatingItem, find_narrator, resolve_take
from jobs.rate_samples.params import Params
from jobs.rating.narrator_clips import resolve_clip

FOLDER = "anchors"
BUNDLED_VOICE = FILES / "samples" / "fables.m4b"
MAX_EXCERPT_S = 8.0
MAX_RECORDING_S = 600.0  # of another speaker; the excerpts are spread over it
_PAUSE_S = 0.7  # the bundled recording has 1.1 s between its sentences, and less within them
_LOUD = 0.01


@dataclass(frozen=True)
class Anchor:
    """Clips to rate and a note of their origin; without clips, the note gives the reason."""

    note: str
    items: list[RatingItem] = field(default_factory=list)


def collect_anchors(inputs: RatingInputs, params: Params, out: Path) -> dict[str, Anchor]:
    """Choose the anchors' clips and copy them to ``anchors/`` in ``out``.

    Raises:
        UserError: ``anchor_unreadable``, and those of ``read_inputs``.
    """
    folder = out / FOLDER
    zero_shot = _zero_shot_anchor(inputs, params.zero_shot_takes, folder)
    if params.anchor_clips == 0:
        none = Anchor("not requested (anchor_clips is 0)")
        return {"narrator": none, "other_speaker": none, "zero_shot": zero_shot}
    return {
        "narrator": _narrator_anchor(inputs, folder),
        "other_speaker": _other_speaker_anchor(inputs, folder, params.anchor_clips, params.other_speaker),
        "zero_shot": zero_shot,
    }


def _narrator_anchor(inputs: RatingInputs, folder: Path) -> Anchor:
    items: list[RatingItem] = []
    for narrator, clips in inputs.held_out.items():
        for clip in clips:
            items.append(_copy_clip(clip, inputs, narrator, folder, f"narrator-{len(items) + 1:02d}"))
    if not items:
        return Anchor("the manifest has too few clips to hold any out of the narrator's profile")
    n_validation = sum(clip.split == "validation" for clips in inputs.held_out.values() for clip in clips)
    note = (
        f"{_count(len(items), 'recording')} of {' and '.join(inputs.held_out)}, not in the profile; "
        f"{n_validation} of the validation split"
    )
    if n_validation < len(items):
        note += " (the voice may have been trained on the others)"
    return Anchor(note, items)


def _other_speaker_anchor(inputs: RatingInputs, folder: Path, n_clips: int, given: str | None) -> Anchor:
    narrator, clips = next(iter(inputs.clips.items()))
    if given is not None:
        excerpts = _read_other_speaker(Path(given), n_clips, inputs.roots)
        note = f"{_count(len(excerpts), 'clip')} of {Path(given).name}, given as another speaker"
        return Anchor(note, _write_excerpts(excerpts, narrator, clips[0].language, folder))
    others = {speaker: clips for speaker, clips in inputs.by_speaker.items() if speaker != narrator}
    if others:
        chosen = sample_evenly([clip for clips in others.values() for clip in clips if clip.text.strip()], n_clips)
        items = [
            _copy_clip(clip, inputs, narrator, folder, f"other-{number:02d}") for number, clip in enumerate(chosen, 1)
        ]
        speakers = f"the manifest's other speakers ({', '.join(others)}), against {narrator}"
        return Anchor(f"{_count(len(items), 'recording')} of {speakers}", items)
    note = (
        f"the synthetic voice of the bundled sample ({BUNDLED_VOICE.name}), because no recording of another person was "
        "given; a real voice of the same pitch is more similar to the narrator (give other_speaker)"
    )
    return Anchor(note, _write_excerpts(read_bundled_voice()[:n_clips], narrator, "english", folder))


def _zero_shot_anchor(inputs: RatingInputs, given: str | None, folder: Path) -> Anchor:
    if given is None:
        return Anchor("no takes of a clone were given (zero_shot_takes)")
    takes_file = find_takes_file(Path(given))
    items: list[RatingItem] = []
    sources: set[Path] = set()
    for take in read_takes(takes_file):
        narrator = find_narrator(take, list(inputs.clips), inputs.manifest)
        item = resolve_take(take, takes_file, narrator, inputs.clips[narrator][0].language)
        if item.path in sources:
            what = f"{takes_file} names {take.audio[:200]!r} twice, and a copy is made for each line."
            raise UserError("clip_repeated", what, "Take one of the lines out.")
        sources.add(item.path)
        copy = _copy_file(item.path, folder, f"zero_shot-{len(items) + 1:02d}")
        items.append(replace(item, take=take.model_copy(update={"audio": _relative(copy)}), path=copy))
    if not items:
        raise UserError("takes_empty", f"{takes_file} has no lines.", "Give takes.jsonl of a clone.")
    return Anchor(
        f"{_count(len(items), 'take')} of {items[0].take.model or takes_file}, cloned without training", items
    )


def read_bundled_voice() -> list[tuple[str, Samples]]:
    """Read the sentences of the bundled sample audiobook: text and audio at 24 kHz."""
    audio = read_clip(BUNDLED_VOICE, CLIP_RATE_HZ)
    texts = [line for line in BUNDLED_VOICE.with_suffix(".txt").read_text(encoding="utf-8").splitlines() if line]
    return list(zip(texts, split_at_pauses(audio, _PAUSE_S), strict=True))


def split_at_pauses(audio: Samples, pause_s: float) -> list[Samples]:
    """Split audio at 24 kHz at pauses longer than ``pause_s``; keep 0.1 s of silence around each part."""
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


def _read_other_speaker(path: Path, n_clips: int, roots: AudioRoots) -> list[tuple[str, Samples]]:
    """Read text and audio of a manifest, a folder of recordings or one recording; without a manifest no text."""
    if path.suffix == ".jsonl":
        clips = sample_evenly(list(read_rows(path, Clip)), n_clips)
        excerpts = [(clip.text, read_clip(resolve_clip(clip, path, roots).path, CLIP_RATE_HZ)) for clip in clips]
    elif path.is_dir():
        names = sorted(file.name for file in path.iterdir() if file.suffix.lower() in AUDIO_SUFFIXES)
        files = [roots.find(path, path, name) for name in names[:n_clips]]
        n_longest = int(MAX_EXCERPT_S * CLIP_RATE_HZ)
        excerpts = [("", read_clip(file, CLIP_RATE_HZ, longest_s=MAX_EXCERPT_S)[:n_longest]) for file in files]
    else:
        excerpts = [("", excerpt) for excerpt in _cut_excerpts(read_clip(path, CLIP_RATE_HZ, MAX_RECORDING_S), n_clips)]
    if not excerpts:
        raise UserError(
            "anchor_unreadable",
            f"other_speaker={path} holds no speech that could be used.",
            "Give a manifest, a recording or a folder of recordings of another person.",
        )
    return excerpts


def _cut_excerpts(audio: Samples, n_clips: int) -> list[Samples]:
    """Cut evenly spread excerpts of ``MAX_EXCERPT_S`` out of a recording; a shorter recording is one excerpt."""
    length = int(MAX_EXCERPT_S * CLIP_RATE_HZ)
    if len(audio) <= length:
        return [audio]
    n = min(n_clips, len(audio) // length)
    return [audio[start : start + length] for start in np.linspace(0, len(audio) - length, n, dtype=int)]


def _copy_clip(clip: Clip, inputs: RatingInputs, narrator: str, folder: Path, name: str) -> RatingItem:
    copy = _copy_file(resolve_clip(clip, inputs.manifest, inputs.roots).path, folder, name)
    return RatingItem(Take(audio=_relative(copy), text=clip.text), copy, narrator, clip.language.lower())


def _write_excerpts(
    excerpts: Sequence[tuple[str, Samples]], narrator: str, language: str, folder: Path
) -> list[RatingItem]:
    items = []
    make_folder(folder)
    for number, (text, audio) in enumerate(excerpts, 1):
        path = folder / f"other-{number:02d}.wav"
        write_clip(path, audio, CLIP_RATE_HZ)
        items.append(RatingItem(Take(audio=_relative(path), text=text), path, narrator, language))
    return items


def _copy_file(path: Path, folder: Path, name: str) -> Path:
    make_folder(folder)
    copy = folder / f"{name}{path.suffix}"
    copy_file(path, copy, sync=False)
    return copy


def _relative(path: Path) -> str:
    return f"{FOLDER}/{path.name}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")
