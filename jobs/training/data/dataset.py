"""Dataset of a run: the clips of a coded manifest, checked and divided before the model is loaded."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from jobs.codec_format import FRAMES_PER_SECOND
from jobs.dataset.audio_roots import OWN_FOLDER, AudioRoots
from jobs.dataset.coded_fields import CodesTokenizer
from jobs.dataset.manifest import write_rows
from jobs.dataset.split import MIN_CLIPS_TO_SPLIT, SPLIT_RULE, Split, SplitRow, sample_evenly, split
from jobs.errors import UserError
from jobs.files.folders import remove
from jobs.files.reading import hash_file
from jobs.training.data.manifest_reader import CodedRows, check_rejected_share, read_coded_rows
from jobs.training.data.manifest_scan import voice_name

logger = logging.getLogger(__name__)

MAX_CLIP_S = 30.0
MAX_BAD_SHARE = 0.05


@dataclass(frozen=True)
class TrainingClip:
    """One clip of a run.

    Attributes:
        language: lower case, ``auto`` or a language of the model.
        codes: (frames, 16) int64.
        instruct: how it is spoken; empty: not said.
        copies: codes of its changed copies.
    """

    line: int
    text: str
    language: str
    codes: torch.Tensor
    speaker: str
    audio: Path
    instruct: str = ""
    copies: Sequence[torch.Tensor] = ()


@dataclass(frozen=True)
class Dataset:
    """Clips and reference audio of a run.

    Attributes:
        train: clips to train on; at least one of every speaker.
        validation: clips held out; may be empty.
        references: the clips of each speaker's voice by name of the voice, in the order of the manifest.
        n_duplicates: lines left out because they repeat another one.
        tokenizers: the different tokenizers that the lines name.
        is_split_here: the manifest holds out nothing, so ``jobs.dataset.split`` chose the clips to hold out.
    """

    train: list[TrainingClip]
    validation: list[TrainingClip]
    references: dict[str, list[Path]]
    manifest_sha256: str
    rejected: dict[str, int] = field(default_factory=dict)
    n_duplicates: int = 0
    is_split_here: bool = False
    tokenizers: Sequence[CodesTokenizer] = ()

    @property
    def split_identity(self) -> dict[str, str]:
        """Part of a checkpoint's identity: earlier versions chose other clips to hold out of the same manifest."""
        n_clips = len(self.train) + len(self.validation)
        return {"split": SPLIT_RULE} if self.is_split_here and n_clips >= MIN_CLIPS_TO_SPLIT else {}

    @property
    def speakers(self) -> list[str]:
        """Names of the voices, lower case, in the order of the manifest."""
        return list(self.references)

    @property
    def speakers_without_validation(self) -> dict[str, int]:
        """Number of training clips of each speaker of whom no clip is held out."""
        validated = {clip.speaker for clip in self.validation}
        return {
            name: sum(clip.speaker == name for clip in self.train) for name in self.speakers if name not in validated
        }


def read_dataset(
    manifest: Path,
    *,
    speaker: str | None,
    languages: Sequence[str],
    codebook_size: int,
    max_clip_s: float = MAX_CLIP_S,
    max_bad_share: float = MAX_BAD_SHARE,
    validation_share: float = 0.0,
    references: Sequence[Path] = (),
    n_speaker_clips: int = 0,
    rejected_to: Path | None = None,
    roots: AudioRoots = OWN_FOLDER,
) -> Dataset:
    """Read, check and divide a coded manifest.

    Args:
        speaker: name to give the voice. If the manifest has several speakers it must be one of them, and only that
            speaker's lines are used; None: all speakers are trained.
        validation_share: of each speaker's audio to hold out where the manifest holds out nothing; see
            ``jobs.dataset.split``.
        references: clips of a single voice, instead of the following.
        n_speaker_clips: number of each speaker's clips, in addition to the manifest's ``ref_audio``, that the voice is
            computed from.
        rejected_to: file for the list of rejections; written before an error is raised.
        roots: where audio may lie beside the manifest's folder.

    Raises:
        UserError: ``manifest_missing``, ``too_many_bad_rows``, ``several_speakers``, ``speakers_collide``,
            ``train_split_empty``, ``path_outside_dataset``.
    """
    rows = read_coded_rows(manifest, languages=languages, codebook_size=codebook_size, max_clip_s=max_clip_s)
    rows = _select_speaker(manifest, rows, speaker)
    _list_rejections(rows, rejected_to)
    check_rejected_share(rows, manifest, max_bad_share, str(rejected_to or "rejected_rows.jsonl"))
    names = _voice_names(manifest, rows, speaker)
    clips: dict[Split, list[TrainingClip]] = {"train": [], "validation": []}
    given: dict[str, list[Path]] = {}
    is_split_here = validation_share > 0 and all(row.clip.split == "train" for row in rows.accepted)
    parts = [row.clip.split for row in rows.accepted]
    if is_split_here:
        measured = [(row.clip, names[row.clip.speaker], len(row.codes) / FRAMES_PER_SECOND) for row in rows.accepted]
        split_rows = [SplitRow.from_clip(clip, speaker=name, duration_s=length) for clip, name, length in measured]
        parts = split(split_rows, validation_share)
    for row, part in zip(rows.accepted, parts, strict=True):
        name = names[row.clip.speaker]
        audio = roots.find(manifest, manifest.parent, row.clip.audio)
        clips[part].append(
            TrainingClip(row.line, row.text, row.language, row.codes, name, audio, row.clip.instruct or "", row.copies)
        )
        known = given.setdefault(name, [])
        if row.clip.ref_audio is not None:
            known.append(roots.find(manifest, manifest.parent, row.clip.ref_audio))
    train = clips["train"]
    _check_speakers_train(manifest, train, list(given) or [speaker or "any speaker"])
    _check_references(references, list(given))
    n_own = 0 if references else n_speaker_clips
    own_clips = {name: [c.audio for c in train if n_own and c.speaker == name and c.audio.is_file()] for name in given}
    return Dataset(
        train=train,
        validation=clips["validation"],
        references={
            name: list(references) or list(dict.fromkeys([*own, *sample_evenly(own_clips[name], n_own)]))
            for name, own in given.items()
        },
        manifest_sha256=hash_file(manifest),
        rejected=rows.counts(),
        n_duplicates=rows.n_duplicates,
        is_split_here=is_split_here,
        tokenizers=list({row.clip.codes_tokenizer for row in rows.accepted if row.clip.codes_tokenizer}),
    )


def log_split(dataset: Dataset) -> None:
    """Log the number of clips, and the speakers of whom no clip is held out."""
    logger.info("%d clips to train on, %d held out", len(dataset.train), len(dataset.validation))
    if n_copies := sum(len(clip.copies) for clip in dataset.train):
        logger.info("each step takes a clip or one of its changed copies, of which there are %d", n_copies)
    for name, n_clips in dataset.speakers_without_validation.items():
        is_small = dataset.is_split_here and n_clips < MIN_CLIPS_TO_SPLIT
        reason = f"fewer than {MIN_CLIPS_TO_SPLIT}" if is_small else "by the manifest or settings"
        logger.info("no clip of speaker %s is held out: all %d are trained on (%s)", name, n_clips, reason)


def _check_speakers_train(manifest: Path, train: Sequence[TrainingClip], speakers: Sequence[str]) -> None:
    """Refuse a dataset whose export would have a voice that no clip was trained on."""
    trained = {clip.speaker for clip in train}
    missing = [name for name in speakers if name not in trained]
    if not missing:
        return
    raise UserError(
        "train_split_empty",
        f'{manifest} has no line with split "train" of {", ".join(missing)}.',
        "Give some of these lines split train, or leave these speakers out: delete their lines, or train one speaker "
        "with speaker=NAME.",
    )


def _list_rejections(rows: CodedRows, to: Path | None) -> None:
    if rows.n_duplicates:
        logger.warning("%d lines repeat another one and are left out", rows.n_duplicates)
    if rows.rejected:
        logger.warning("%d lines are rejected: %s", len(rows.rejected), rows.counts())
    if to is not None:
        remove(to)  # of an earlier attempt, perhaps with another manifest
        if rows.rejected:
            write_rows(to, rows.rejected)


def _select_speaker(manifest: Path, rows: CodedRows, wanted: str | None) -> CodedRows:
    names = {voice_name(row.clip.speaker) for row in rows.accepted}
    if wanted is None or len(names) <= 1:
        return rows
    if wanted not in names:
        raise UserError(
            "several_speakers",
            f"{manifest} holds {len(names)} speakers: {', '.join(sorted(names))}; none is {wanted!r}.",
            "Name one of them with speaker=…, or leave speaker out to train them all.",
        )
    return _only(rows, wanted)


def _voice_names(manifest: Path, rows: CodedRows, wanted: str | None) -> dict[str, str]:
    """Return the name of the voice by the manifest's spelling of the speaker."""
    spellings = list(dict.fromkeys(row.clip.speaker for row in rows.accepted))
    if wanted is not None:
        return dict.fromkeys(spellings, wanted)
    names = {speaker: voice_name(speaker) for speaker in spellings}
    by_name: dict[str, str] = {}
    for speaker, name in names.items():
        other = by_name.setdefault(name, speaker)
        if other.strip().lower() != speaker.strip().lower():
            raise UserError(
                "speakers_collide",
                f"{manifest} holds the speakers {other!r} and {speaker!r}, whose voices would both be called {name!r}.",
                "Rename one of them in the manifest.",
            )
    return names or {"speaker": "speaker"}


def _check_references(references: Sequence[Path], speakers: Sequence[str]) -> None:
    if references and len(speakers) > 1:
        raise UserError(
            "several_speakers",
            f"references are of one voice, but {len(speakers)} are trained: {', '.join(speakers)}.",
            "Name one with speaker=…, or leave references out.",
        )


def _only(rows: CodedRows, name: str) -> CodedRows:
    """Return the rows of one speaker, and the rejections that may be of that speaker."""
    return CodedRows(
        accepted=[row for row in rows.accepted if voice_name(row.clip.speaker) == name],
        rejected=[row for row in rows.rejected if row.speaker is None or voice_name(row.speaker) == name],
        n_duplicates=rows.n_duplicates,
    )
