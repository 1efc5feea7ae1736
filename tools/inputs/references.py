"""Names that stand for a path: a dataset's, a voice's, a job's id.

``horus`` is the manifest of ``datasets/horus`` that the step reads, ``anna`` the voice in ``voices/anna``, and a job's
id the output that such a job is run for. A name is looked up in the working directory and in the home. Nothing is
guessed: two matches are an error, and so is a dataset that lacks the step's manifest. The outputs of a kind are
declared in its ``spec`` module.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.param_types import PathMark, find_mark
from jobs.runner.call_text import call_text
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import JobKind, Output, all_kinds
from jobs.runner.models import JobRecord
from jobs.settings import Settings
from jobs.spelling import closest
from tools.inputs.coming import advise_waiting, expected_path, find_maker, unfinished_input

VOICE_TAILS = ("voice", "training/voice", "final_model")
"""Where the weights are in the folder of a voice, if not in itself."""
MOST_NAMED = 20
MOST_JOBS = 50  # among which the voice of a speaker is looked for
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@cache
def dataset_files() -> Mapping[str, tuple[str, JobKind]]:
    """Return the files of a dataset's folder by what they hold: name, and the first kind that makes it."""
    files: dict[str, tuple[str, JobKind]] = {}
    for kind in all_kinds().values():
        for output in kind.outputs:
            if output.in_dataset:
                files.setdefault(output.holds, (output.file_name, kind))
    return MappingProxyType(files)


def find_job_output(job_id: str, holds: str, where: str, runner: Runner, awaited: Collection[str]) -> str:
    """Return the path that a job's id stands for.

    Raises ``UserError``: ``job_unknown``, ``job_without`` such a result, ``job_unfinished``.
    """
    record = runner.get(job_id)
    output = _output(record.kind, holds)
    if record.state == "succeeded":
        found = (record.result or {}).get(output.result) if output is not None else None
        if isinstance(found, str) and found:
            return found
    elif job_id in awaited and output is not None and output.parameter:
        return str(expected_path(record, output))
    elif not record.is_finished:
        raise UserError(
            "job_unfinished",
            f"{where}={job_id!r}: that job is {record.state}, so its {output.result if output else 'result'} is not "
            "there yet.",
            advise_waiting(job_id),
        )
    wanted = next((one.result for kind in all_kinds().values() for one in kind.outputs if one.holds == holds), "")
    raise UserError(
        "job_without",
        f"{where}={job_id!r}: that job ({record.kind}, {record.state}) has no {wanted or 'file for this argument'}.",
        f"Look at {call_text('get_job', {'job_id': job_id})}, and give a path or a handle that it names.",
    )


def find_stopped_run(job_id: str, where: str, runner: Runner) -> str | None:
    """Return where the voice of a stopped training would be; ``extend`` reads the state beside it."""
    record = runner.get(job_id)
    if where.rpartition(".")[2] != "extend" or record.state not in ("cancelled", "failed"):
        return None
    return str(Path(str(record.params.get("out_dir") or runner.home.out(job_id))) / VOICE_TAILS[0])


def find_dataset(
    text: str, holds: str, where: str, settings: Settings, runner: Runner, awaited: Collection[str] = ()
) -> str | None:
    """Return the manifest that a dataset's name or folder stands for; None when it is neither.

    One that a job of ``awaited`` will write is not looked for.

    Raises ``UserError``: ``dataset_unready``, ``name_ambiguous``, ``dataset_unknown``, ``job_unfinished``.
    """
    folder = _folder(text, settings)
    name, _ = dataset_files()[holds]
    if folder is None or not (folder / name).is_file():
        coming = _coming(text, folder, name, settings, runner)
        if coming is not None and coming[0].job_id in awaited:
            return str(coming[1])
        if coming is not None:
            raise unfinished_input(f"{where}={text!r}", coming[0])
    if folder is None:
        if NAME.fullmatch(text) and not (settings.roots[0] / text).exists():
            raise _unknown("dataset", text, where, list(list_datasets(settings)))
        return None
    if (folder / name).is_file():
        return str(folder / name)
    there = {held: file for held, (file, _) in dataset_files().items() if (folder / file).is_file()}
    tool = _first_step(holds, there).tool_name
    latest = list(there.values())[-1:]
    raise UserError(
        "dataset_unready",
        f"{where}={text!r}: {folder} has {', '.join(there.values()) or 'no manifest'}, and not yet {name}.",
        f"Call {call_text(tool, {'manifest': str(folder / latest[0])})} first." if latest else f"Call {tool}.",
    )


def _coming(
    text: str, folder: Path | None, name: str, settings: Settings, runner: Runner
) -> tuple[JobRecord, Path] | None:
    """Return the unfinished job that writes a dataset's manifest, and its path."""
    if not settings.home.exists() or (folder is None and not NAME.fullmatch(text)):
        return None
    places = [folder] if folder is not None else _dataset_places(text, settings)
    return find_maker([place / name for place in places], runner)


def find_voice(text: str, where: str, settings: Settings, runner: Runner, awaited: Collection[str] = ()) -> Path | None:
    """Return the folder that a voice's name stands for; None when there is none.

    A name is that of a folder in ``voices``, also of one that a job of ``awaited`` will write, else that of the speaker
    of a voice that a job has trained elsewhere.

    Raises ``UserError``: ``name_ambiguous``, ``job_unfinished``.
    """
    if not NAME.fullmatch(text):
        return None
    places = [base / "voices" / text for base in _bases(settings)]
    found = [place / tail for place in places for tail in VOICE_TAILS if (place / tail / "config.json").is_file()]
    found = found or [place for place in places if (place / "config.json").is_file()]
    if not found and settings.home.exists():
        maker = find_maker([place / tail for place in places for tail in VOICE_TAILS], runner)
        if maker is not None and maker[0].job_id in awaited:
            return maker[1]
        if maker is not None:
            raise unfinished_input(f"{where}={text!r}", maker[0])
        trained = [voice for name, voice in _trained_voices(runner) if name == text]
        named = _named_voices(settings)
        found = [voice for voice in trained if voice.resolve() not in named] or trained
    here = _voice_in(settings.roots[0] / text)
    return _only([*([here] if here is not None else []), *found], text, where)


def list_trained(settings: Settings, runner: Runner) -> dict[str, Path]:
    """Return the voices without a name of their own that jobs have trained, by their speakers, of two the newest."""
    named = _named_voices(settings)
    return {name: voice for name, voice in reversed(list(_trained_voices(runner))) if voice.resolve() not in named}


def is_voice_elsewhere(name: str, settings: Settings, runner: Runner) -> bool:
    """Return whether a name means a voice that does not lie in the home's ``voices``."""
    here = settings.roots[0]
    if any(_voice_in(place) is not None for place in (here / name, here / "voices" / name)):
        return True
    return settings.home.exists() and name in list_trained(settings, runner)


def _named_voices(settings: Settings) -> set[Path]:
    """Return the voices that have the name of a folder of ``voices``."""
    folders = [folder for base in _bases(settings) for folder in _below(base / "voices")]
    return {voice.resolve() for voice in map(_voice_in, folders) if voice is not None}


def _trained_voices(runner: Runner) -> Iterator[tuple[str, Path]]:
    """Iterate over the voices that jobs have trained, newest first; not those of trials and rounds of other jobs."""
    for kind in ("refine_voice", "training"):
        for job in runner.list(kind=kind, state="succeeded", limit=MOST_JOBS):
            result, training = job.result or {}, job.params.get("training", {})
            voice = Path(str(result.get("voice", "")))
            name = result.get("speaker") or training.get("speaker")
            if job.parent is None and name and (voice / "config.json").is_file():
                yield str(name), voice


def describe_voices(text: str, settings: Settings, runner: Runner) -> str:
    """Return `` Did you mean 'anna'? Known: anna, bea.`` of the voices that ``find_voice`` finds."""
    return _describe_known("voice", text, sorted(list_all_voices(settings, runner)))


def _output(kind: str, holds: str) -> Output | None:
    """The output of a kind that an argument reads; for a dataset's manifest also that of another step."""
    outputs = all_kinds()[kind].outputs if kind in all_kinds() else ()
    exact = next((output for output in outputs if output.holds == holds), None)
    if exact is not None or holds not in dataset_files():
        return exact
    return next((output for output in outputs if output.holds in dataset_files()), None)


def _first_step(holds: str, there: Collection[str]) -> JobKind:
    """The kind to run first, with what is there, so that a dataset comes to hold something."""
    if not there:
        return next(iter(dataset_files().values()))[1]
    _, maker = dataset_files()[holds]
    reads = _reads(maker)
    if not reads or reads in there or not _reads(dataset_files()[reads][1]):
        return maker
    return _first_step(reads, there)


def _reads(kind: JobKind) -> str:
    """Name of the dataset's file that a kind reads, by what it holds; empty: it reads none."""
    marks = (find_mark(field) for field in kind.params.model_fields.values())
    return next((mark.holds for mark in marks if isinstance(mark, PathMark) and mark.holds in dataset_files()), "")


def _folder(text: str, settings: Settings) -> Path | None:
    """The dataset's folder for a path or a name."""
    here = settings.roots[0] / expand_user(text) if not text.startswith("~") else Path(text)
    if not NAME.fullmatch(text):
        return here if here.is_dir() else None
    named = [place for place in _dataset_places(text, settings) if place.is_dir()]
    if here.is_dir() and (not named or any((here / file).is_file() for file, _ in dataset_files().values())):
        named.insert(0, here)  # a folder of the same name that holds no dataset is not meant
    return _only(named, text, "the dataset")


def _dataset_places(name: str, settings: Settings) -> list[Path]:
    bases = _bases(settings)
    return [place for base in bases for place in (base / "datasets" / name, base / "voices" / name / "dataset")]


def _only(found: Iterable[Path], text: str, where: str) -> Path | None:
    places = list(dict.fromkeys(path.resolve() for path in found))
    if len(places) > 1:
        raise UserError(
            "name_ambiguous",
            f"{where}: {text!r} may be any of {', '.join(map(str, places))}.",
            "Give the path of one of them.",
        )
    return places[0] if places else None


def _unknown(what: str, text: str, where: str, known: list[str]) -> UserError:
    return UserError(
        f"{what}_unknown",
        f"{where}={text!r} is neither a {what} nor a path here.{_describe_known(what, text, known)}",
        f"Give the name of a {what}, or a path.",
    )


def _describe_known(what: str, text: str, known: list[str]) -> str:
    """Return which of the known names is near, and the names."""
    near = closest(text, known)
    meant = f" Did you mean {near!r}?" if near else ""
    more = ", …" if len(known) > MOST_NAMED else ""
    return f"{meant} " + (
        f"Known: {', '.join(known[:MOST_NAMED])}{more}." if known else f"No {what} was made here yet."
    )


def list_datasets(settings: Settings) -> dict[str, Path]:
    """Return the folders that the names of datasets stand for; of two with one name the first is used."""
    bases = _bases(settings)
    found = {path.name: path / "dataset" for base in reversed(bases) for path in _below(base / "voices")}
    found |= {path.name: path for base in reversed(bases) for path in _below(base / "datasets")}
    return {name: path for name, path in sorted(found.items()) if path.is_dir()}


def list_voices(settings: Settings) -> dict[str, Path]:
    """Return the folders that the names of voices stand for; of two with one name the first is used."""
    found: dict[str, Path] = {}
    for base in _bases(settings):
        for folder in _below(base / "voices"):
            place = _voice_in(folder)
            if place is not None:
                found.setdefault(folder.name, place)
    return dict(sorted(found.items()))


def list_all_voices(settings: Settings, runner: Runner) -> dict[str, Path]:
    """Return the folders of all voices by their names: those in ``voices``, and those that jobs have trained."""
    made = list_trained(settings, runner) if settings.home.exists() else {}
    return made | list_voices(settings)


def _voice_in(folder: Path) -> Path | None:
    """Return the folder of the voice's weights in a folder of ``voices``."""
    places = [*(folder / tail for tail in VOICE_TAILS), folder]
    return next((place for place in places if (place / "config.json").is_file()), None)


def _below(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []


def _bases(settings: Settings) -> list[Path]:
    return list(dict.fromkeys([settings.roots[0], settings.home]))
