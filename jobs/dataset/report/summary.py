"""Summary of a dataset in words, and notes on its chapters and text."""

from collections.abc import Sequence
from itertools import groupby

from jobs.dataset.manifest import Clip, Rejection
from jobs.dataset.rejection_reasons import MEANING, SILENCE
from jobs.dataset.report.report_model import About, ChapterRow, Report, clock
from jobs.dataset.split import MIN_CLIPS_TO_SPLIT

LOW_SHARE = 0.5  # of a chapter's speech: a note is made when less is kept
MAX_NOTES = 5


def summarise(report: Report) -> str:
    """Return the summary of a dataset in about ten lines."""
    of = f" of {clock(report.total_s)}" if report.total_s else ""
    lines = [f"{report.title or report.name}: kept {clock(report.kept_s)}{of} in {report.n_clips} clips."]
    if report.n_words_book:
        placed = report.n_words_placed or 0
        lines.append(
            f"{placed} of the text's {report.n_words_book} words were found ({placed / report.n_words_book:.1%})."
        )
    worst = [reason for reason in report.reasons if reason.reason != SILENCE][:4]
    if worst:
        lines.append(f"Not kept: {', '.join(f'{each.reason} {clock(each.length_s)} ({each.n})' for each in worst)}.")
    middle = {name: values["median"] for name, values in report.quality.items()}
    medians = [
        f"{label} {middle[name]:.{digits}f}{unit}"
        for name, label, unit, digits in (
            ("snr_db", "SNR", " dB", 0), ("loudness_lufs", "loudness", " LUFS", 0),
            ("sim", "likeness to the narrator (SIM, at most 1)", "", 2),
            ("dnsmos_ovrl", "sound (DNSMOS, 1 to 5)", "", 1), ("rate", "speaking rate", " sounds/s", 1),
        )
        if name in middle
    ]  # fmt: skip
    if medians:
        lines.append(f"Median of the kept clips: {', '.join(medians)}.")
    lines.append(
        f"Held out for validation: {report.n_validation} clips, {clock(report.validation_s)}."
        if report.n_validation
        else f"Nothing is held out for validation: that takes {MIN_CLIPS_TO_SPLIT} clips of a speaker."
    )
    best = [paths[0] for paths in report.references.values() if paths]
    if best:
        lines.append(f"Reference clip: {', '.join(best[:3])}.")
    lines += [f"Note: {note}" for note in report.notes[:MAX_NOTES]]
    if len(report.notes) > MAX_NOTES:
        lines.append(f"{len(report.notes) - MAX_NOTES} more notes are in report.html.")
    return "\n".join(lines)


def chapter_notes(chapters: Sequence[ChapterRow]) -> list[str]:
    """Return a note on each chapter of whose speech less than half was kept."""
    notes = []
    for row in chapters:
        if row.kept_share is None or row.kept_share >= LOW_SHARE or not row.reasons_s:
            continue
        reason, length = next(iter(row.reasons_s.items()))
        meaning = MEANING.get(reason, "")
        how_much = f"only {row.kept_share:.0%}" if row.kept_s else "nothing"
        notes.append(
            f"{row.title}: {how_much} of its speech was kept; {clock(length)} is {reason}"
            + (f" ({meaning})." if meaning else ".")
        )
    return notes


def missing_text_notes(about: About, rows: Sequence[Clip | Rejection]) -> list[str]:
    """Return a note on each part of the book that is in no clip or rejection: an unread chapter, another edition."""
    if about.book_text is None:
        return []
    texts = sorted((row.source.recording, row.source.start_s, row.text) for row in rows if row.source and row.text)
    return [
        f"{n_words} words of the text were not found in the recording, from “{excerpt}” on."
        for n_words, excerpt in unread(about.book_text, [text for _, _, text in texts])
    ]


LEAST_WORDS = 30


def unread(book: str, texts: Sequence[str], least_words: int = LEAST_WORDS) -> list[tuple[int, str]]:
    """Runs of a book's words that none of the texts covers: (number of words, how they begin), longest first.

    ``texts`` are in reading order; those that are not part of the book are ignored.
    """
    words = book.split()
    joined = " ".join(words)
    starts: dict[int, int] = {}
    at = 0
    for number, word in enumerate(words):
        starts[at] = number
        at += len(word) + 1
    covered = [False] * len(words)
    reached = 0
    for text in texts:
        plain = " ".join(text.split())
        found = joined.find(plain, reached)
        if found < 0:
            continue
        reached = found + len(plain)
        first = starts.get(found)
        if first is None:
            continue
        for number in range(first, min(len(words), first + len(plain.split()))):
            covered[number] = True
    runs = [list(run) for is_read, run in groupby(range(len(words)), covered.__getitem__) if not is_read]
    told = [(len(run), " ".join(words[run[0] : run[0] + 8])) for run in runs if len(run) >= least_words]
    return sorted(told, key=lambda run: -run[0])
