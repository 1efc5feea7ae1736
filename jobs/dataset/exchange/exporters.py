"""A dataset given to other tools: LJSpeech, Hugging Face, lhotse. The clips go along: the folder can be moved."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import soundfile

from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.manifest import Clip, read_rows
from jobs.dataset.quality.thresholds import Layout
from jobs.errors import UserError
from jobs.files.atomic_io import replacing_folder
from jobs.files.folders import make_folder
from jobs.runner.worker.context import JobContext

EXPORTS = "exports"


def give(manifest: Path, layouts: Sequence[Layout], context: JobContext) -> dict[str, Path]:
    """Write a dataset's clips for other tools, each layout into ``exports/`` of the dataset; an older one is replaced.

    Text, speaker, language, split, words and quality go along where the layout has a place for them. Returns the folder
    of each layout, published as ``export-<layout>``. Raises ``UserError``: ``path_outside_dataset``, ``clip_repeated``,
    ``ljspeech_text``.
    """
    rows = list(read_rows(manifest, Clip))
    paths = AudioRoots.of(context.settings).find_once(manifest, [row.audio for row in rows])
    writers = {"ljspeech": _ljspeech, "huggingface": _huggingface, "lhotse": _lhotse}
    made: dict[str, Path] = {}
    for layout in dict.fromkeys(layouts):
        out = manifest.parent / EXPORTS / layout
        make_folder(out.parent)
        with replacing_folder(out) as partial:
            writers[layout](rows, paths, partial, context)
        context.publish(f"export-{layout}", out, "dataset")
        made[layout] = out
    return made


def _ljspeech(rows: Sequence[Clip], paths: Sequence[Path], out: Path, context: JobContext) -> None:
    """``metadata.csv`` (id|text|text) and ``wavs/``, and ``train.txt``/``val.txt`` of ids for the split."""
    names = _copied(paths, out / "wavs", context)
    for row in rows:
        if "|" in row.text or "\n" in row.text:
            raise UserError(
                "ljspeech_text",
                f"{row.audio} says {row.text!r}: | and line ends part LJSpeech's fields.",
                "Correct the text.",
            )
    lines = [f"{Path(name).stem}|{row.text}|{row.text}\n" for name, row in zip(names, rows, strict=True)]
    (out / "metadata.csv").write_text("".join(lines), encoding="utf-8")
    for split, file in (("train", "train.txt"), ("validation", "val.txt")):
        ids = [Path(name).stem for name, row in zip(names, rows, strict=True) if row.split == split]
        (out / file).write_text("".join(f"{each}\n" for each in ids), encoding="utf-8")


def _huggingface(rows: Sequence[Clip], paths: Sequence[Path], out: Path, context: JobContext) -> None:
    """``DatasetDict.save_to_disk``, one part a split; the sound is inside, as an ``Audio`` column."""
    import datasets

    features = datasets.Features(
        {
            # written as what an Audio column is made of: its own encoder needs torchcodec and FFmpeg, even for bytes
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "text": datasets.Value("string"),
            "speaker": datasets.Value("string"),
            "language": datasets.Value("string"),
            "duration_s": datasets.Value("float64"),
            "chapter": datasets.Value("int32"),
        }
    )
    datasets.disable_progress_bars()
    cache = out / ".cache"
    made = datasets.DatasetDict()
    for split in dict.fromkeys(row.split for row in rows):
        context.raise_if_cancelled()
        chosen = [(row, str(path)) for row, path in zip(rows, paths, strict=True) if row.split == split]
        part = datasets.Dataset.from_generator(
            _huggingface_rows, features=features, cache_dir=str(cache), gen_kwargs={"chosen": chosen},
            writer_batch_size=100,
        )  # fmt: skip
        made[split] = part.cast_column("audio", datasets.Audio(sampling_rate=SAMPLE_RATE_HZ))
    made.save_to_disk(str(out))
    shutil.rmtree(cache)


def _huggingface_rows(chosen: Sequence[tuple[Clip, str]]) -> Iterator[dict[str, Any]]:
    """One clip at a time: 40 hours of sound do not fit in memory."""
    for row, path in chosen:
        yield {
            "audio": {"bytes": Path(path).read_bytes(), "path": Path(path).name},
            "text": row.text,
            "speaker": row.speaker,
            "language": row.language,
            "duration_s": row.duration_s,
            "chapter": row.source.chapter if row.source else None,
        }


def _lhotse(rows: Sequence[Clip], paths: Sequence[Path], out: Path, context: JobContext) -> None:
    """``recordings``, ``supervisions``, ``cuts`` as ``.jsonl.gz``, paths relative to the folder; words as alignment."""
    from lhotse import AudioSource, CutSet, MonoCut, Recording, RecordingSet, SupervisionSegment, SupervisionSet
    from lhotse.supervision import AlignmentItem

    recordings, supervisions, cuts = [], [], []
    for name, row in zip(_copied(paths, out / "wavs", context), rows, strict=True):
        about = soundfile.info(str(out / "wavs" / name))
        recording = Recording(
            id=Path(name).stem,
            sources=[AudioSource(type="file", channels=[0], source=f"wavs/{name}")],
            sampling_rate=about.samplerate,
            num_samples=about.frames,
            duration=about.frames / about.samplerate,
        )
        words = [
            AlignmentItem(word.word, word.start_s, word.end_s - word.start_s, word.score) for word in row.words or []
        ]
        supervision = SupervisionSegment(
            id=recording.id,
            recording_id=recording.id,
            start=0.0,
            duration=recording.duration,
            channel=0,
            text=row.text,
            language=row.language,
            speaker=row.speaker,
            alignment={"word": words} if words else None,
            custom={"split": row.split, **row.quality},
        )
        recordings.append(recording)
        supervisions.append(supervision)
        cuts.append(
            MonoCut(
                id=recording.id,
                start=0.0,
                duration=recording.duration,
                channel=0,
                supervisions=[supervision],
                recording=recording,
            )
        )
    RecordingSet.from_recordings(recordings).to_file(out / "recordings.jsonl.gz")
    SupervisionSet.from_segments(supervisions).to_file(out / "supervisions.jsonl.gz")
    CutSet.from_cuts(cuts).to_file(out / "cuts.jsonl.gz")


def _copied(paths: Sequence[Path], folder: Path, context: JobContext) -> list[str]:
    folder.mkdir(parents=True)
    names: dict[str, None] = {}  # in order; clips of several folders may share a name
    for number, path in enumerate(paths):
        context.raise_if_cancelled()
        name = path.name if path.name not in names else f"{path.stem}-{number}{path.suffix}"
        shutil.copyfile(path, folder / name)
        names[name] = None
    return list(names)
