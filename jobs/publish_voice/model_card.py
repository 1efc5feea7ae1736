"""The model card, ``README.md``: what a voice is made of, how it was judged, whose it is, and how to use it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.asr.model_registry import CODES
from jobs.publish_voice.contents import README, PublishedFile, list_samples
from jobs.publish_voice.engines import ENGINES
from jobs.publish_voice.params import Params, find_consent
from jobs.publishing.cleaning import check_clean
from jobs.publishing.markdown import front_matter, make_table, plain
from jobs.publishing.options import REPOSITORY
from jobs.qwen.model_files import read_card, read_model_config
from jobs.qwen.model_info import describe_model, takes_instruct
from jobs.rating.ratings_file import read_ratings_file

ANCHORS = {
    "narrator": "the narrator's own clips, held out of the training",
    "zero_shot": "the base model that clones a clip, without training",
    "other_speaker": "clips of another speaker",
}
RECIPE = ("method", "lr", "epochs", "batch_size", "lora_rank", "seed")
LONGEST_TEXT = 300
UNKNOWN = "not recorded"


def write_card(params: Params, files: Sequence[PublishedFile], hashes: Mapping[str, str] | None = None) -> str:
    """Return the text of the model card.

    Args:
        params: of the job.
        files: that are published.
        hashes: SHA-256 by name of a file; None: not computed.

    Raises:
        UserError: ``publication_unclean``, those of the ratings.
    """
    voice = Path(params.model)
    card = read_card(voice) or {}
    parts = [
        _front_matter(params, card),
        f"# {_title(params)}\n\n{_introduction(params, card)}",
        "## Consent and licence\n\n" + _rights(params),
        "## Use\n\n" + _use(params),
        "## How it was made\n\n" + "\n".join(make_table(_facts(card))),
        *(["## Ratings\n\n" + "\n".join(_ratings(Path(params.ratings)))] if params.ratings else []),
        *(["## Samples\n\n" + "\n".join(_samples(params))] if list_samples(params) else []),
        "## Files\n\n" + "\n".join(_files(files, hashes or {})),
    ]
    text = "\n\n".join(parts) + "\n"
    check_clean(README, text)
    for file in files:
        if file.source is None:
            check_clean(file.name, file.content.decode())
    return text


def _front_matter(params: Params, card: Mapping[str, Any]) -> str:
    """Return the metadata that the Hub reads, as YAML of JSON values."""
    base = str(card.get("base_model") or "")
    languages = [CODES[one] for one in _list(card.get("languages")) if one in CODES]
    fields: dict[str, Any] = {
        "pipeline_tag": "text-to-speech",
        "library_name": "qwen-tts",
        "tags": ["qwen3-tts", "text-to-speech", "tts-train"],
    }
    if languages:
        fields["language"] = languages
    if re.fullmatch(REPOSITORY, base) is not None:
        fields |= {"base_model": base, "base_model_relation": "finetune"}
    if params.license:
        fields["license"] = params.license.lower()
    return front_matter(fields)


def _title(params: Params) -> str:
    return ", ".join(map(plain, describe_model(Path(params.model)).speakers))


def _introduction(params: Params, card: Mapping[str, Any]) -> str:
    config = read_model_config(Path(params.model))
    instruct = "takes an instruct" if takes_instruct(config) else "takes no instruct"
    base = plain(str(card.get("base_model") or "a Qwen3-TTS 12 Hz model"))
    return f"A text-to-speech voice: {base}, trained further with tts-train. 24 kHz mono; it {instruct}."


def _rights(params: Params) -> str:
    consent = find_consent(params)
    stated = plain(consent) if consent else "The consent of the person whose voice this is has not been stated."
    licence = f"Licence of this voice: {params.license}." if params.license else "No licence is stated."
    return (
        f"{stated}\n\n{licence} That of the base model holds besides. Do not use the voice to deceive, and only as far "
        "as the person has agreed."
    )


def _use(params: Params) -> str:
    where = params.repository or "FOLDER"
    speaker = describe_model(Path(params.model)).speakers[0]
    config = read_model_config(Path(params.model))
    commands = ENGINES[params.engine].commands_for(where, speaker, size_of(config))
    about = f"Made for {params.engine}. FOLDER is where these files are, SPEAKER one of the names above."
    return f"{about}\n\n```sh\n" + "\n".join(commands) + "\n```"


def size_of(config: Mapping[str, Any]) -> str:
    """Return the size in a model's usual name."""
    return "1.7B" if takes_instruct(config) else "0.6B"


def _facts(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    seconds = _number(card.get("speech_s"))
    hours = f"{seconds / 3600:.2f} hours in {card.get('n_clips')} clips" if seconds else UNKNOWN
    run, made = _mapping(card.get("run")), _mapping(card.get("made_with"))
    packages = ", ".join(f"{name} {value}" for name, value in _mapping(card.get("packages")).items())
    recipe = ", ".join(f"{name} {found}" for name in RECIPE if (found := _find(run, name)) is not None)
    yield "base", str(card.get("base_model") or UNKNOWN)
    yield "speech", hours
    yield "languages", ", ".join(_list(card.get("languages")) or [UNKNOWN])
    yield "recipe", recipe or UNKNOWN
    yield "steps", str(card.get("steps", UNKNOWN))
    yield "loss, first to last", f"{_figure(card.get('first_loss'))} to {_figure(card.get('last_loss'))}"
    yield "loss, held-out clips", _figure(card.get("validation_loss"))
    yield "made with", f"tts-train {made.get('version') or UNKNOWN}, revision {made.get('revision') or UNKNOWN}"
    yield "locked packages", f"{packages or UNKNOWN}; lock sha256 {made.get('lock_sha256') or UNKNOWN}"


def _find(document: Mapping[str, Any], name: str) -> Any:
    """Return a value by its name wherever it is in the description of a run."""
    if name in document and not isinstance(document[name], dict | list):
        return document[name]
    inner = (_find(part, name) for part in document.values() if isinstance(part, dict))
    return next((found for found in inner if found is not None), None)


def _ratings(path: Path) -> Iterator[str]:
    content = read_ratings_file(path)
    summary, anchors = _mapping(content.get("summary")), _mapping(content.get("anchors"))
    mean, low, high = (_figure(summary.get(name)) for name in ("mean", "low", "high"))
    n_takes, n_texts = (_number(summary.get(name)) or 0 for name in ("n_takes", "n_texts"))
    yield f"From 1 to 5, 95 % interval; {n_takes:.0f} takes of {n_texts:.0f} texts.\n"
    rows = [("this voice", f"{mean} ({low} to {high})")]
    for name, about in ANCHORS.items():
        found = _mapping(anchors.get(name))
        if found:
            rows.append((about, f"{_figure(found.get('mean'))} (of {found.get('n')})"))
    yield from make_table(rows)
    if content.get("caveat"):
        yield f"\n{plain(str(content['caveat']))}"


def _samples(params: Params) -> Iterator[str]:
    for sample in list_samples(params):
        text = plain(sample.take.text[:LONGEST_TEXT])
        yield f'- {text} <audio controls src="{sample.name}"></audio> [{Path(sample.name).name}]({sample.name})'


def _files(files: Sequence[PublishedFile], hashes: Mapping[str, str]) -> Iterator[str]:
    yield "| file | bytes | sha256 |"
    yield "|---|---|---|"
    for file in files:
        yield f"| {file.name} | {file.size_bytes:,} | {hashes.get(file.name, '')} |"


def _figure(value: Any) -> str:
    number = _number(value)
    return UNKNOWN if number is None else f"{number:.3g}"


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None


def _list(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
