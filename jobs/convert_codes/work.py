"""Clips to codes: encode what the journal lacks, then write the manifest in its old order.

A kill at any moment costs at most one batch: codes are journalled batch by batch in the job's folder. Which clips make
a batch follows from the manifest alone, so that a job that goes on encodes the same batches, and writes the same bytes.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobs.audio.clip_io import Samples
from jobs.convert_codes.clip_loader import (
    FoundClip,
    batches,
    best_reference,
    find_clip,
    read_clip,
    rejection,
)
from jobs.convert_codes.params import Params, Result
from jobs.dataset.manifest import Clip, check_audio_inside, read_rows, write_rows
from jobs.dataset.rejected import Rejected
from jobs.errors import UserError
from jobs.qwen.codec import Codec, load_codec
from jobs.qwen.devices import compute_device, keep_freed_memory, limit_cpu_threads
from jobs.qwen.loading import resolve_tokenizer
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

logger = logging.getLogger(__name__)

DEFAULT_NAME = "train_manifest_qwen3.jsonl"
SYNC_EVERY_S = 60.0  # of audio
REJECTIONS_NAME = "convert_rejections.jsonl"


@dataclass
class Survey:
    """What a manifest holds: usable clips by line number, and why the others are not."""

    clips: dict[int, FoundClip] = field(default_factory=dict)
    unusable: dict[int, Rejected] = field(default_factory=dict)

    def reject(self, clip: FoundClip, error: Rejected) -> None:
        """Move a clip that looked usable to the others."""
        del self.clips[clip.number]
        self.unusable[clip.number] = error


def run(params: Params, context: JobContext) -> Result:
    """Make ``train_manifest_qwen3.jsonl``.

    Raises:
        UserError: of ``resolve_tokenizer`` and ``Codec``; ``path_outside_dataset``; ``no_clips`` when none is usable.
    """
    manifest = Path(params.manifest)
    out = Path(params.out) if params.out else manifest.with_name(DEFAULT_NAME)
    tokenizer = resolve_tokenizer(params.tokenizer, context.settings)
    survey = _survey(manifest, context)
    with Journal(context.folder / f"codes-{_fingerprint(tokenizer)}.jsonl") as journal:
        _encode(survey, journal, tokenizer, params.batch_s, context)
        if not survey.clips:
            raise _no_clips(manifest, survey)
        references = _references(survey, params.ref_audio, out.parent, manifest)
        n_frames = _write(manifest, out, survey, journal, references)
    n_rejected = write_rows(
        out.with_name(REJECTIONS_NAME),
        (rejection(row, survey.unusable[number]) for number, row in _rows(manifest) if number in survey.unusable),
    )
    context.publish("manifest", out, "manifest")
    context.publish("rejections", out.with_name(REJECTIONS_NAME), "report")
    logger.info("%d clips, %d frames, %d rejected", len(survey.clips), n_frames, n_rejected)
    return Result(
        manifest=str(out),
        n_clips=len(survey.clips),
        n_frames=n_frames,
        n_rejected=n_rejected,
        ref_audio=next(iter(references.values())),
        tokenizer=params.tokenizer,
    )


def _rows(manifest: Path) -> Iterator[tuple[int, Clip]]:
    return enumerate(read_rows(manifest, Clip))


def _survey(manifest: Path, context: JobContext) -> Survey:
    survey = Survey()
    for number, row in _rows(manifest):
        context.raise_if_cancelled()
        try:
            survey.clips[number] = find_clip(number, row, manifest)
        except Rejected as error:
            survey.unusable[number] = error
    return survey


def _fingerprint(tokenizer: Path) -> str:
    """Hash of a tokenizer's files: other weights begin another journal."""
    digest = hashlib.sha256()
    for path in sorted([*tokenizer.glob("*.json"), *tokenizer.glob("*.safetensors")]):
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:12]


def _encode(survey: Survey, journal: Journal, tokenizer: Path, batch_s: float, context: JobContext) -> None:
    """Put the codes of every usable clip into the journal."""
    different = {clip.key: clip for clip in reversed(survey.clips.values())}
    n_missing = sum(key not in journal for key in different)
    total_s = sum(clip.duration_s for clip in different.values())
    done_s = sum(clip.duration_s for key, clip in different.items() if key in journal)
    context.progress(done_s, total_s, f"{len(survey.clips)} clips, {n_missing} to encode")
    if not n_missing:
        return
    device = compute_device()
    codec = load_codec(tokenizer, device, encoder_only=True)
    if device == "cpu":
        limit_cpu_threads(codec.n_parameters)
        keep_freed_memory()  # a fifth faster here (measured)
    unsynced_s = 0.0
    for batch in batches(different.values(), batch_s if device != "cpu" else 0.0):
        context.raise_if_cancelled()
        missing_s = sum(clip.duration_s for clip in batch if clip.key not in journal)
        if not missing_s:
            continue
        _encode_batch(batch, survey, journal, codec)
        done_s, unsynced_s = done_s + missing_s, unsynced_s + missing_s
        if unsynced_s > SYNC_EVERY_S:  # each clip survives a kill; this is for a power cut
            journal.sync()
            unsynced_s = 0.0
        context.progress(done_s, total_s, f"{done_s / 3600:.2f} of {total_s / 3600:.2f} h of audio encoded")


def _encode_batch(batch: list[FoundClip], survey: Survey, journal: Journal, codec: Codec) -> None:
    readable: list[tuple[FoundClip, Samples]] = []
    for clip in batch:
        try:
            readable.append((clip, read_clip(clip.path)))
        except Rejected as error:
            for twin in [other for other in survey.clips.values() if other.key == clip.key]:
                survey.reject(twin, error)
    codes = codec.encode([samples for _, samples in readable])
    for (clip, _), each in zip(readable, codes, strict=True):
        if clip.key not in journal:  # a kill may have come within the batch
            journal.add(clip.key, each.tolist())


def _no_clips(manifest: Path, survey: Survey) -> UserError:
    reasons = [error.reason for error in survey.unusable.values()]
    leading = max(sorted(set(reasons)), key=reasons.count)
    first = next(error for error in survey.unusable.values() if error.reason == leading)
    return UserError(
        "no_clips",
        f"None of the {len(reasons)} clips of {manifest} can be used; most often: {leading} ({first.detail})",
        "Mend the clips or make the dataset again with ingest_audiobook or ingest_clips.",
    )


def _references(survey: Survey, chosen: str | None, dataset: Path, manifest: Path) -> Mapping[str, str]:
    """Reference clip of each speaker, relative to the dataset. One from elsewhere is copied in.

    Without ``chosen``, the one that the manifest names, if it is still among the clips; else the best by its words.

    Raises:
        UserError: ``ref_audio_unusable``.
    """
    by_speaker: dict[str, list[FoundClip]] = {}
    for clip in survey.clips.values():
        by_speaker.setdefault(clip.speaker, []).append(clip)
    if chosen is None:
        named = _named_references(manifest)
        found = {
            speaker: next((clip for clip in clips if clip.path == named.get(speaker)), None) or best_reference(clips)
            for speaker, clips in by_speaker.items()
        }
        return {speaker: _inside(clip.path, dataset) for speaker, clip in found.items()}
    try:
        read_clip(Path(chosen))
    except Rejected as error:
        raise UserError(
            "ref_audio_unusable", f"ref_audio {chosen}: {error.detail}", "Give a clean clip of 3 to 10 s."
        ) from error
    return dict.fromkeys(by_speaker, _inside(Path(chosen), dataset))


def _named_references(manifest: Path) -> dict[str, Path]:
    """The reference that the manifest names first, by speaker."""
    named: dict[str, Path] = {}
    for _, row in _rows(manifest):
        if row.ref_audio is not None and row.speaker not in named:
            named[row.speaker] = check_audio_inside(manifest, manifest.parent, row.ref_audio)
    return named


def _inside(path: Path, dataset: Path) -> str:
    if path.resolve().is_relative_to(dataset.resolve()):
        return path.resolve().relative_to(dataset.resolve()).as_posix()
    copied = dataset / "reference" / path.name
    copied.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, copied)
    return copied.relative_to(dataset).as_posix()


def _write(manifest: Path, out: Path, survey: Survey, journal: Journal, references: Mapping[str, str]) -> int:
    """Write the manifest in the old one's order; return the number of frames."""
    n_frames = 0

    def coded() -> Iterator[Clip]:
        nonlocal n_frames
        for number, row in _rows(manifest):
            clip = survey.clips.get(number)
            if clip is None:
                continue
            codes = journal.get(clip.key)
            n_frames += len(codes)
            added = {
                "audio": _inside(clip.path, out.parent),
                "duration_s": row.duration_s or round(clip.duration_s, 3),
                "ref_audio": references[clip.speaker],
                "audio_codes": codes,
            }
            yield row.model_copy(update=added)

    out.parent.mkdir(parents=True, exist_ok=True)
    write_rows(out, coded())
    return n_frames
