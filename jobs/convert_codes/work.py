"""The job ``convert_codes``: encode the clips that the journal lacks, then write the manifest in its order.

A kill at any moment costs at most one batch: codes are journalled batch by batch in the job's folder. Batches depend on
the manifest alone, so a resumed job encodes the same batches and writes the same bytes. Codes of unchanged audio are
taken from the manifest that is there: after corrections only what changed is encoded.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from jobs.audio.clip_io import Samples
from jobs.convert_codes.changed_copies import ChangedClip, ChangeName, copies_of, copy_key
from jobs.convert_codes.clip_loader import (
    CodecClip,
    ManifestClips,
    batch_by_length,
    inspect_clip,
    make_rejection,
    read_clip,
)
from jobs.convert_codes.params import Params, Result
from jobs.convert_codes.reference_clips import References, find_references
from jobs.dataset.audio_roots import AudioRoots, name_from
from jobs.dataset.coded_fields import ChangedCopy, CodesTokenizer
from jobs.dataset.manifest import Clip, RejectionError, read_rows, write_rows
from jobs.errors import UserError
from jobs.files.folders import make_folder
from jobs.files.reading import open_regular
from jobs.model_folders.contents import ModelFolder
from jobs.model_folders.safetensors_header import find_weights
from jobs.qwen.codec import Codec, load_codec
from jobs.qwen.codec_identity import identify_tokenizer
from jobs.qwen.devices import compute_device, keep_freed_memory, limit_cpu_threads
from jobs.qwen.hub import resolve_tokenizer
from jobs.qwen.model_files import TOKENIZER_FILES
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

logger = logging.getLogger(__name__)

DEFAULT_NAME = "train_manifest_qwen3.jsonl"
SYNC_EVERY_S = 60.0  # of audio
MOST_REPEATS = 20  # lines of one sound: repeated to be trained on more often, and not to fill the disk
REJECTIONS_NAME = "convert_rejections.jsonl"


def run(params: Params, context: JobContext) -> Result:
    """Make ``train_manifest_qwen3.jsonl``.

    Raises ``UserError``: of ``resolve_tokenizer`` and ``Codec``; ``path_outside_dataset``;
    ``clip_repeated``; ``no_clips`` when none is usable.
    """
    manifest = Path(params.manifest)
    out = Path(params.out) if params.out else manifest.with_name(DEFAULT_NAME)
    tokenizer = resolve_tokenizer(params.tokenizer, context.settings)
    clips = _inspect_clips(manifest, context)
    of = identify_tokenizer(ModelFolder.at(tokenizer), params.tokenizer)
    with Journal(context.folder / f"codes-{_fingerprint(tokenizer)}.jsonl") as journal:
        _take_over(out, clips, journal, of, params.augment)
        _encode(clips, journal, tokenizer, params, context)
        if not clips.usable:
            raise _no_clips(manifest, clips)
        references = find_references(
            clips.usable, params.ref_audio, out.parent, manifest, AudioRoots.of(context.settings)
        )
        n_frames, n_copies = _write_manifest(manifest, out, clips, journal, references, of, params.augment)
    n_rejected = write_rows(
        out.with_name(REJECTIONS_NAME),
        (make_rejection(row, clips.rejected[number]) for number, row in _rows(manifest) if number in clips.rejected),
    )
    context.publish("manifest", out, "manifest")
    context.publish("rejections", out.with_name(REJECTIONS_NAME), "report")
    logger.info("%d clips, %d frames, %d rejected", len(clips.usable), n_frames, n_rejected)
    logger.info("lines by origin of their ref_audio: %s", dict(references.origins))
    return Result(
        manifest=str(out),
        n_clips=len(clips.usable),
        n_frames=n_frames,
        n_rejected=n_rejected,
        n_changed_copies=n_copies,
        ref_audio=next(iter(references.by_line.values())),
        ref_audio_lines={str(origin): count for origin, count in references.origins.most_common()},
        tokenizer=params.tokenizer,
    )


def _rows(manifest: Path) -> Iterator[tuple[int, Clip]]:
    return enumerate(read_rows(manifest, Clip))


def _inspect_clips(manifest: Path, context: JobContext) -> ManifestClips:
    clips, roots = ManifestClips(), AudioRoots.of(context.settings)
    for number, row in _rows(manifest):
        context.raise_if_cancelled()
        try:
            clips.usable[number] = inspect_clip(number, row, manifest, roots)
        except RejectionError as error:
            clips.rejected[number] = error
    key, n_lines = max(Counter(clip.key for clip in clips.usable.values()).items(), key=itemgetter(1), default=("", 0))
    if n_lines > MOST_REPEATS:
        raise UserError(
            "clip_repeated",
            f"{n_lines} lines of {manifest} name the same sound (SHA-256 {key[:12]}…), and its codes are written for "
            "each line.",
            f"Leave at most {MOST_REPEATS} of them.",
        )
    return clips


def _fingerprint(tokenizer: Path) -> str:
    """Hash a tokenizer's files: each set of weights has a journal of its own."""
    digest = hashlib.sha256()
    folder = ModelFolder.at(tokenizer)
    for path in sorted({**folder.find_all(TOKENIZER_FILES), **find_weights(folder)}.values()):
        with open_regular(path) as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:12]


def _with_copies(clips: ManifestClips, changes: Sequence[ChangeName]) -> dict[str, CodecClip]:
    """Return all clips to encode by their keys: those of the manifest, each audio once, and their changed copies."""
    found: dict[str, CodecClip] = {clip.key: clip for clip in reversed(clips.usable.values())}
    return found | {copy.key: copy for clip in clips.usable.values() for copy in copies_of(clip, changes)}


def _take_over(
    out: Path, clips: ManifestClips, journal: Journal, of: CodesTokenizer, changes: Sequence[ChangeName]
) -> None:
    """Take codes of the same audio and tokenizer from the manifest that this job will replace."""
    wanted = {key for key in _with_copies(clips, changes) if key not in journal}
    if not wanted or not out.is_file():
        return
    try:
        for row in read_rows(out, Clip):
            is_same = row.codes_tokenizer is not None and row.codes_tokenizer.fingerprint == of.fingerprint
            if not is_same or row.audio_sha256 is None:
                continue
            found = {row.audio_sha256: row.audio_codes or []}
            found |= {copy_key(row.audio_sha256, each.change): each.codes for each in row.changed_copies or ()}
            for key in wanted & found.keys():
                if found[key]:
                    journal.add(key, found[key])
                    wanted.discard(key)
    except UserError as error:
        logger.warning("%s is not used: %s", out, error.message)


def _encode(clips: ManifestClips, journal: Journal, tokenizer: Path, params: Params, context: JobContext) -> None:
    """Write the codes of every usable clip, and of the changed copies that are asked for, to the journal."""
    different = _with_copies(clips, params.augment)
    n_missing = sum(key not in journal for key in different)
    total_s = sum(clip.duration_s for clip in different.values())
    done_s = sum(clip.duration_s for key, clip in different.items() if key in journal)
    context.progress(done_s, total_s, f"{len(clips.usable)} clips, {n_missing} to encode")
    if not n_missing:
        return
    device = compute_device()
    codec = load_codec(tokenizer, device, encoder_only=True)
    if device == "cpu":
        limit_cpu_threads(codec.n_parameters)
        keep_freed_memory()  # measured: 20 % faster
    unsynced_s = 0.0
    for batch in batch_by_length(different.values(), params.batch_s if device != "cpu" else 0.0):
        context.raise_if_cancelled()
        missing_s = sum(clip.duration_s for clip in batch if clip.key not in journal)
        if not missing_s:
            continue
        _encode_batch(batch, clips, journal, codec)
        done_s, unsynced_s = done_s + missing_s, unsynced_s + missing_s
        if unsynced_s > SYNC_EVERY_S:  # entries survive a kill without it, but not a power cut
            journal.sync()
            unsynced_s = 0.0
        context.progress(done_s, total_s, f"{done_s / 3600:.2f} of {total_s / 3600:.2f} h of audio encoded")


def _encode_batch(batch: list[CodecClip], clips: ManifestClips, journal: Journal, codec: Codec) -> None:
    readable: list[tuple[CodecClip, Samples]] = []
    for clip in batch:
        try:
            samples = read_clip(clip.path)
            if isinstance(clip, ChangedClip) and clip.change is not None:
                samples = clip.change.apply(samples)
            readable.append((clip, samples))
        except RejectionError as error:
            for twin in [other for other in clips.usable.values() if other.key == clip.key]:
                clips.reject(twin, error)
    codes = codec.encode([samples for _, samples in readable])
    for (clip, _), each in zip(readable, codes, strict=True):
        if clip.key not in journal:  # an earlier attempt may have been killed within the batch
            journal.add(clip.key, each.tolist())


def _no_clips(manifest: Path, clips: ManifestClips) -> UserError:
    reasons = [error.reason for error in clips.rejected.values()]
    leading = max(sorted(set(reasons)), key=reasons.count)
    first = next(error for error in clips.rejected.values() if error.reason == leading)
    return UserError(
        "no_clips",
        f"None of the {len(reasons)} clips of {manifest} can be used; most often: {leading} ({first.detail})",
        "Repair the clips, or make the dataset again with ingest_audiobook or ingest_clips.",
    )


def _write_manifest(
    manifest: Path,
    out: Path,
    clips: ManifestClips,
    journal: Journal,
    references: References,
    tokenizer: CodesTokenizer,
    changes: Sequence[ChangeName],
) -> tuple[int, int]:
    """Write the manifest in the order of the input; return the numbers of frames and of changed copies."""
    n_frames = n_copies = 0

    def coded() -> Iterator[Clip]:
        nonlocal n_frames, n_copies
        for number, row in _rows(manifest):
            clip = clips.usable.get(number)
            if clip is None:
                continue
            codes = journal.get(clip.key)
            n_frames += len(codes)
            copies = [
                ChangedCopy(change=str(copy.change), codes=journal.get(copy.key))
                for copy in copies_of(clip, changes)
                if copy.key in journal
            ]
            n_copies += len(copies)
            added = {
                "audio": name_from(out.parent, manifest.parent / row.audio),
                "duration_s": row.duration_s or round(clip.duration_s, 3),
                "ref_audio": references.by_line[number],
                "audio_codes": codes,
                "audio_sha256": clip.key,
                "codes_tokenizer": tokenizer,
                "changed_copies": copies or None,
            }
            yield row.model_copy(update=added)

    make_folder(out.parent)
    write_rows(out, coded())
    return n_frames, n_copies
