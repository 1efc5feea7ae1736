"""The dataset card, ``README.md``: what is in a dataset, whose voice it is, how it was made, how to load it."""

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.asr.model_registry import CODES
from jobs.dataset.manifest import Clip
from jobs.publish_dataset.contents import METADATA, README, SPLITS, PublishedClip
from jobs.publish_dataset.params import Params
from jobs.publishing.cleaning import check_clean
from jobs.publishing.markdown import front_matter, make_table, plain
from jobs.runner.provenance import provenance

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**9, "100K<n<1M"))
TRANSCRIPTS = {
    "book": "the book's own words, found in the recording",
    "asr": "heard by Whisper",
    "subtitle": "subtitles",
    "draft": "a given draft",
    "curated": "given with the clips",
    None: "not recorded",
}
MEASURES = {
    "snr_db": "signal to noise, dB",
    "loudness_lufs": "loudness, LUFS",
    "bandwidth_hz": "bandwidth, Hz",
    "dnsmos_ovrl": "DNSMOS overall, 1 to 5",
}
FIELDS = {
    "file_name": "path of the clip from the folder of this file",
    "text": "what is spoken",
    "speaker, language": "names, in lower case; auto: not stated",
    "duration_s": "seconds",
    "chapter": "number of the book's chapter",
    "transcript": "origin of the text, see above",
    "sha256": "of the clip's file",
    "instruct": "how it is spoken, where that is stated",
}
N_SAMPLES = 3
LONGEST_TEXT = 300


def write_card(params: Params, clips: Sequence[PublishedClip], hashes: Mapping[str, str] | None = None) -> str:
    """Return the text of the card.

    Args:
        params: of the job.
        clips: that are published.
        hashes: SHA-256 of each split's list of clips; None: not computed.

    Raises:
        UserError: ``publication_unclean``.
    """
    rows = [one.clip for one in clips]
    parts = [
        front_matter(_metadata(params, rows)),
        f"# {_title(rows)}\n\n{_introduction(rows)}",
        "## Consent and licence\n\n" + _rights(params),
        "## What is in it\n\n" + "\n".join(make_table(_facts(rows))),
        "## Use\n\n" + _use(params),
        "## How it was made\n\n" + "\n".join(make_table(_making(rows, hashes or {}))),
        "## Samples\n\n" + "\n".join(_samples(clips)),
    ]
    text = "\n\n".join(parts) + "\n"
    check_clean(README, text)
    return text


def count_hours(rows: Iterable[Clip]) -> float:
    """Return the hours of clips whose length is known."""
    return sum(row.duration_s or 0.0 for row in rows) / 3600


def length(rows: Iterable[Clip]) -> str:
    """Return the length of clips in words: hours, below one hour minutes."""
    hours = count_hours(rows)
    return f"{hours:.2f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"


def _metadata(params: Params, rows: Sequence[Clip]) -> dict[str, Any]:
    """Return what the Hub reads of the card."""
    languages = [CODES[name] for name in _most_common(row.language for row in rows) if name in CODES]
    splits = [split for split in SPLITS if any(row.split == split for row in rows)]
    files = [{"split": split, "path": f"{split}/**"} for split in splits]
    fields: dict[str, Any] = {
        "pretty_name": _title(rows),
        "task_categories": ["text-to-speech", "automatic-speech-recognition"],
        "tags": ["speech", "audiobook" if any(row.transcript == "book" for row in rows) else "audio", "tts-train"],
        "size_categories": [next(name for most, name in SIZES if len(rows) < most)],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    if languages:
        fields["language"] = languages
    if params.license:
        fields["license"] = params.license.lower()
    return fields


def _title(rows: Sequence[Clip]) -> str:
    speakers = _most_common(row.speaker for row in rows)
    more = f" and {len(speakers) - 3} more" if len(speakers) > 3 else ""
    return f"Speech of {', '.join(map(plain, speakers[:3]))}{more}"


def _introduction(rows: Sequence[Clip]) -> str:
    return (
        f"{length(rows)} of read speech in {len(rows):,} clips, each with its text: made to train a "
        "text-to-speech voice. WAV, mono, 24 kHz where tts-train cut the clips."
    )


def _rights(params: Params) -> str:
    consent = params.consent.strip()
    stated = plain(consent) if consent else "The consent of the person whose voice this is has not been stated."
    licence = f"Licence of this dataset: {params.license}." if params.license else "No licence is stated."
    return (
        f"{stated}\n\n{licence} The rights in the text that is read, and in the recording, hold besides. Do not use "
        "the voice to deceive, and only as far as the person has agreed."
    )


def _facts(rows: Sequence[Clip]) -> Iterator[tuple[str, str]]:
    lengths = sorted(row.duration_s for row in rows if row.duration_s)
    yield "clips", f"{len(rows):,}"
    yield "length", length(rows)
    for split in SPLITS:
        chosen = [row for row in rows if row.split == split]
        if chosen:
            yield f"split {split}", f"{len(chosen):,} clips, {length(chosen)}"
    for about, names in (
        ("languages", Counter(row.language for row in rows)),
        ("speakers", Counter(row.speaker for row in rows)),
    ):
        shown = ", ".join(f"{name} ({n:,} clips)" for name, n in names.most_common(20))
        yield about, shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    if lengths:
        yield "seconds of a clip", f"{lengths[0]:.1f} to {lengths[-1]:.1f}, median {statistics.median(lengths):.1f}"
    for name, about in MEASURES.items():
        measured = [row.quality[name] for row in rows if name in row.quality]
        if measured:
            yield (
                f"median {about}",
                f"{statistics.median(measured):,.0f}"
                if name == "bandwidth_hz"
                else f"{statistics.median(measured):.3g}",
            )


def _making(rows: Sequence[Clip], hashes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    made = provenance("ml")
    origins = Counter(row.transcript for row in rows)
    yield "texts", ", ".join(f"{TRANSCRIPTS[origin]} ({n:,} clips)" for origin, n in origins.most_common())
    if any(row.words for row in rows):
        yield "checked", "every word was found in its clip (align); clips with other words are left out"
    yield "published with", f"tts-train {made['version']}, revision {made['revision'] or 'not recorded'}"
    for name, digest in hashes.items():
        yield name, f"sha256 {digest}"


def _use(params: Params) -> str:
    where = f'"{params.repository}"' if params.repository else '"audiofolder", data_dir="FOLDER"'
    fields = "\n".join(make_table(FIELDS.items()))
    code = f"```python\nfrom datasets import load_dataset\n\nclips = load_dataset({where})\n```"
    return f"{code}\n\nFields of `{METADATA}`:\n\n{fields}"


def _samples(clips: Sequence[PublishedClip]) -> Iterator[str]:
    for one in clips[:N_SAMPLES]:
        text = plain(one.clip.text[:LONGEST_TEXT])
        yield f'- {text} <audio controls src="{one.name}"></audio> [{Path(one.name).name}]({one.name})'


def _most_common(names: Iterable[str]) -> list[str]:
    return [name for name, _ in Counter(names).most_common()]
