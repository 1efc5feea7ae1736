"""Work of ``narrate``: read the book, speak its passages, join them to chapters, write the audiobook and its report."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from jobs.asr.model_registry import language_code
from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.books.blocks import Cover
from jobs.books.covers import read_cover
from jobs.errors import UserError
from jobs.files.atomic_io import write_json, write_text
from jobs.files.file_state import FileState, read_state
from jobs.files.folders import make_folder, remove
from jobs.narrate.params import Params, Result
from jobs.narrate.report.book_index import INDEX, read_index
from jobs.narrate.report.html_report import ChapterRow, Waveform, index_book, write_report
from jobs.narrate.report.read_along import write_read_along
from jobs.narrate.report.subtitles import SUBTITLES, Cue, write_subtitles
from jobs.narrate.script.dialogue import check_manners
from jobs.narrate.script.passages import Passage
from jobs.narrate.script.rare_words import find_rare_words, write_list
from jobs.narrate.script.script import Script, read_script
from jobs.narrate.sound.audio_files import Mark, write_audiobook, write_chapter
from jobs.narrate.sound.loudness import Level, amplify, find_level, measure_loudness
from jobs.narrate.sound.timeline import Read, Timeline, chapter_starts, make_timeline
from jobs.narrate.speech.speaking import Speaking
from jobs.narrate.speech.take_store import TakeStore
from jobs.narrate.speech.voice import prepare_voice
from jobs.runner.worker.context import JobContext

AUDIOBOOK, WORDS, REPORT, TAKES = "book.m4b", "words.txt", "report.html", "passages"
READ_ALONG = "book.epub"
MOST_NAMED = 10


def run(params: Params, context: JobContext) -> Result:
    """Narrate a book.

    Raises:
        UserError: those of ``prepare_voice``, ``read_script``, ``read_cover``, ``load_synthesizer`` and of the judges.
    """
    voice = prepare_voice(params, context.settings)
    script = read_script(params, voice.language)
    manners = (passage.manner for passage in script.passages)
    check_manners(manners, voice.model, speaker=voice.speaker, instruct=voice.instruct)
    cover = read_cover(Path(params.cover)) if params.cover is not None else script.book.cover
    folder = make_folder(Path(params.out_dir) if params.out_dir else context.folder / "out")
    former = _find_former(folder)
    _write_words(folder / WORDS, script, voice.language)
    context.publish("words", folder / WORDS, "text")
    result = Result(
        folder=str(folder),
        words=str(folder / WORDS),
        title=script.title,
        n_chapters=len(script.chapters),
        n_passages=len(script.passages),
    )
    if params.list_words:
        return result
    keys = {passage: voice.key(passage) for passage in script.passages}
    with TakeStore(folder / TAKES) as store:
        narrated = Speaking(params, voice, script.passages, store, context).run()

        def read(passage: Passage) -> Samples:
            context.raise_if_cancelled()
            return store.read(keys[passage], narrated.kept[keys[passage]].attempt)

        rows = _write_sound(folder, params, script, cover, read, former, context)
    if params.read_along:
        write_read_along(
            folder / READ_ALONG,
            [row.timeline for row in rows],
            title=script.title,
            author=params.author or script.book.author,
            language=language_code(voice.language),
            cover=cover,
            modified_s=Path(params.text).stat().st_mtime,
        )
        context.publish("read_along", folder / READ_ALONG, "other")
    doubtful = [passage.text for passage in script.passages if narrated.kept[keys[passage]].reasons]
    suffix = None if params.chapter_audio == "none" else params.chapter_audio
    write_report(folder / REPORT, script.title, rows, narrated.kept, keys, script.skipped, script.book.notes, suffix)
    context.publish("report", folder / REPORT, "report")
    write_json(folder / INDEX, index_book(script.title, rows, narrated.kept, keys, suffix).model_dump(mode="json"))
    return result.model_copy(
        update={
            "audiobook": str(folder / AUDIOBOOK),
            "report": str(folder / REPORT),
            "read_along": str(folder / READ_ALONG) if params.read_along else None,
            "n_spoken": narrated.n_spoken,
            "n_doubtful": len(doubtful),
            "doubtful": doubtful[:MOST_NAMED],
            "duration_s": round(sum(row.timeline.n_samples for row in rows) / CLIP_RATE_HZ, 3),
        }
    )


def _write_words(path: Path, script: Script, language: str) -> None:
    """Write the rare words: in English those that the recogniser's dictionary lacks."""
    is_known = Recogniser().knows if language == "english" else None
    texts = (passage.text for passage in script.passages)
    write_text(path, write_list(find_rare_words(texts, is_known, language_code(language) or "en")))


def _write_sound(
    folder: Path,
    params: Params,
    script: Script,
    cover: Cover | None,
    read: Read,
    former: Mapping[Path, FileState],
    context: JobContext,
) -> list[ChapterRow]:
    """Write the audiobook, the files of its chapters and subtitles; return the chapters for the report."""
    timelines = [make_timeline(chapter, read) for chapter in script.chapters]
    starts = chapter_starts(timelines)
    sounds = [partial(_chapter_sound, timeline, read) for timeline in timelines]
    levels = [find_level(sound, params.loudness_lufs) for sound in sounds]
    levelled = [partial(sound, level) for sound, level in zip(sounds, levels, strict=True)]
    tags = _make_tags(params, script)
    waveforms = [Waveform() for _ in timelines]
    marks = [
        Mark(timeline.chapter.title, start, start + timeline.n_samples)
        for timeline, start in zip(timelines, starts, strict=False)
    ]

    def whole() -> Iterator[Samples]:
        for sound, waveform in zip(levelled, waveforms, strict=True):
            for block in sound():
                waveform.add(block)
                yield block

    write_audiobook(folder / AUDIOBOOK, whole(), marks, tags, cover, params.bitrate_kbps * 1000)
    context.publish("audiobook", folder / AUDIOBOOK, "audio")
    written = set()
    rows = []
    for timeline, sound, start, waveform in zip(timelines, levelled, starts, waveforms, strict=False):
        loudness = measure_loudness(sound())
        rows.append(ChapterRow(timeline, start / CLIP_RATE_HZ, loudness.lufs, loudness.peak_dbfs, waveform.draw()))
        if params.chapter_audio != "none":
            chapter = timeline.chapter
            path = folder / f"{chapter.number:03d}.{params.chapter_audio}"
            own = {**tags, "album": script.title, "title": chapter.title, "track": str(chapter.number)}
            write_chapter(path, sound(), own)
            written.add(path.name)
    if params.subtitles:
        written |= {path.name for path in write_subtitles(folder, _make_cues(timelines, starts))}
    _remove_stale(former, written)
    return rows


def _chapter_sound(timeline: Timeline, read: Read, level: Level) -> Iterator[Samples]:
    return timeline.blocks(read, partial(amplify, level=level))


def _make_tags(params: Params, script: Script) -> dict[str, str]:
    author = params.author or script.book.author
    tags = {"title": script.title, "album": script.title, "genre": "Audiobook", "comment": "Synthetic speech"}
    return tags | ({"artist": author, "album_artist": author} if author else {})


def _make_cues(timelines: Sequence[Timeline], starts: Sequence[int]) -> list[Cue]:
    return [
        Cue(placed.passage.text, (start + placed.start) / CLIP_RATE_HZ, (start + placed.end) / CLIP_RATE_HZ)
        for timeline, start in zip(timelines, starts, strict=False)
        for placed in timeline.placed
    ]


def _remove_stale(former: Mapping[Path, FileState], written: set[str]) -> None:
    """Delete what an earlier narration made and this one does not."""
    for path, state in former.items():
        if path.name not in written and read_state(path) == state:
            remove(path)


def _find_former(folder: Path) -> dict[Path, FileState]:
    """Return the files of an earlier narration, which the runner has checked to be ours; what comes later is not.

    Files of chapters are those that its index names: another of such a name is a person's.
    """
    names = {*SUBTITLES, READ_ALONG}
    with suppress(UserError):  # no index, no chapters
        names |= {chapter.audio for chapter in read_index(folder).chapters} - {""}
    found = map(folder.joinpath, names)
    return {path: read_state(path) for path in sorted(found) if path.is_file() and not path.is_symlink()}
