"""What a caller means who names a dataset, a voice or a job where a tool wants a path.

``horus`` is the manifest of ``datasets/horus`` that the step reads, ``anna`` the voice in ``voices/anna``, and a job's
id the thing that such a job is run for. A name is looked for in the working directory and in the home; nothing is
guessed: two that fit are an error, and so is a dataset that has not come so far.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from jobs.errors import UserError
from jobs.param_types import Holds
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.runner.paths import job_ids_in
from jobs.settings import Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# In a dataset's folder: the manifest of each step, and the tool that makes it.
MANIFESTS: dict[Holds, tuple[str, str]] = {
    "ingested": ("train_manifest.jsonl", "ingest_audiobook"),
    "aligned": ("train_aligned.jsonl", "align"),
    "coded": ("train_manifest_qwen3.jsonl", "convert_codes"),
}
# The field of a job's result that is meant, and where that will be before the job is done: parameter, rest of the path.
RESULTS: dict[Holds, str] = {
    "ingested": "manifest",
    "aligned": "manifest",
    "coded": "manifest",
    "takes": "takes",
    "config": "best_config",
    "voice": "voice",
}
EXPECTED: dict[str, tuple[str, str]] = {
    "ingest_audiobook": ("out_dir", "train_manifest.jsonl"),
    "ingest_clips": ("out_dir", "train_manifest.jsonl"),
    "align": ("out", ""),
    "convert_codes": ("out", ""),
    "training": ("out_dir", "voice"),
    "refine_voice": ("out_dir", "final_model"),
    "synthesize": ("out_dir", "takes.jsonl"),
}


def is_job_id(text: str) -> bool:
    """The text is a job's id, and nothing else."""
    return job_ids_in(text) == {text}


def of_job(job_id: str, holds: Holds, where: str, runner: Runner, awaited: Collection[str]) -> str:
    """The path that a job's id stands for.

    Args:
        job_id: the job.
        holds: what the argument is to hold.
        where: the argument, for the message.
        runner: knows the job.
        awaited: jobs that the call waits for: what they will write counts.

    Raises:
        UserError: ``job_unknown``, ``job_without`` such a result, ``job_unfinished``.
    """
    record = runner.get(job_id)
    field = RESULTS.get(holds, "")
    if record.state == "succeeded":
        found = (record.result or {}).get(field)
        if isinstance(found, str) and found:
            return found
    elif job_id in awaited and (expected := _expected(record, holds)):
        return expected
    elif not record.is_finished:
        raise UserError(
            "job_unfinished",
            f"{where}={job_id!r}: that job is {record.state}, so its {field or 'result'} is not there yet.",
            f'Call get_job job_id="{job_id}" wait_s=50, or give after=["{job_id}"] as well, to wait for it.',
        )
    raise UserError(
        "job_without",
        f"{where}={job_id!r}: that job ({record.kind}, {record.state}) has no {field or 'file that is meant'}.",
        f'Look at get_job job_id="{job_id}", and give a path or a handle that it names.',
    )


def dataset(text: str, holds: Holds, where: str, settings: Settings) -> str | None:
    """The manifest that a dataset's name or folder stands for; None when it is neither.

    Raises:
        UserError: ``dataset_unready``, ``name_ambiguous``, ``dataset_unknown``.
    """
    folder = _folder(text, settings)
    if folder is None:
        if NAME.fullmatch(text) and not (settings.roots[0] / text).exists():
            raise _unknown("dataset", text, where, _datasets(settings))
        return None
    name, maker = MANIFESTS[holds]
    if (folder / name).is_file():
        return str(folder / name)
    there = [file for file, _ in MANIFESTS.values() if (folder / file).is_file()]
    hint = f'Call {_first_missing(there, maker)} manifest="{folder / there[-1]}" first.' if there else f"Call {maker}."
    raise UserError(
        "dataset_unready",
        f"{where}={text!r}: {folder} has {', '.join(there) or 'no manifest'}, and not yet {name}.",
        hint,
    )


def voice(text: str, where: str, settings: Settings) -> Path | None:
    """The folder that a voice's name stands for; None when there is none. Raises ``UserError`` ``name_ambiguous``."""
    if not NAME.fullmatch(text):
        return None
    places = [base / "voices" / text for base in _bases(settings)]
    tails = ("voice", "training/voice", "final_model")
    found = [place / tail for place in places for tail in tails if (place / tail / "config.json").is_file()]
    return _only(found or [place for place in places if (place / "config.json").is_file()], text, where)


def nearest_voice(text: str, settings: Settings) -> str:
    """`` Did you mean 'anna'?`` of the voices that ``voice`` finds; empty when none is near."""
    known = {path.name for base in _bases(settings) for path in _below(base / "voices")}
    near = difflib.get_close_matches(text, sorted(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _expected(record: JobRecord, holds: Holds) -> str:
    parameter, rest = EXPECTED.get(record.kind, ("", ""))
    fits = {"voice": ("training", "refine_voice"), "takes": ("synthesize",)}.get(holds)
    is_manifest = holds in MANIFESTS and record.kind not in ("training", "refine_voice", "synthesize")
    if not parameter or not (record.kind in fits if fits is not None else is_manifest):
        return ""
    given = str(record.params.get(parameter) or Path(record.folder) / "out")
    return str(Path(given) / rest) if rest else given


def _folder(text: str, settings: Settings) -> Path | None:
    """The dataset's folder that is meant by a path or a name."""
    here = settings.roots[0] / Path(text).expanduser() if not text.startswith("~") else Path(text)
    if here.is_dir():
        return here
    if not NAME.fullmatch(text):
        return None
    places = [
        place for base in _bases(settings) for place in (base / "datasets" / text, base / "voices" / text / "dataset")
    ]
    return _only([place for place in places if place.is_dir()], text, "the dataset")


def _only(found: Iterable[Path], text: str, where: str) -> Path | None:
    places = list(dict.fromkeys(path.resolve() for path in found))
    if len(places) > 1:
        raise UserError(
            "name_ambiguous",
            f"{where}: {text!r} may be any of {', '.join(map(str, places))}.",
            "Give the path of the one that is meant.",
        )
    return places[0] if places else None


def _first_missing(there: Collection[str], maker: str) -> str:
    return next((tool for file, tool in MANIFESTS.values() if file not in there and tool != "ingest_audiobook"), maker)


def _unknown(what: str, text: str, where: str, known: list[str]) -> UserError:
    near = difflib.get_close_matches(text, known, n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    listed = f"Known: {', '.join(known[:20])}." if known else f"No {what} was made here yet."
    return UserError(
        f"{what}_unknown", f"{where}={text!r} is no {what} and no path here.{meant}", f"{listed} Or give a path."
    )


def _datasets(settings: Settings) -> list[str]:
    names = {path.name for base in _bases(settings) for path in _below(base / "datasets")}
    names |= {path.name for base in _bases(settings) for path in _below(base / "voices") if (path / "dataset").is_dir()}
    return sorted(names)


def _below(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []


def _bases(settings: Settings) -> list[Path]:
    return list(dict.fromkeys([settings.roots[0], settings.home]))
