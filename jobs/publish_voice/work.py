"""Work of ``publish_voice``: write the folder, check it, then upload it where a repository is given."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi

from jobs.files.atomic_io import write_bytes
from jobs.files.copying import copy_file, link_file
from jobs.files.folders import make_folder, remove
from jobs.files.reading import hash_file
from jobs.publish_voice.contents import README, SAMPLES, PublishedFile, list_files
from jobs.publish_voice.engines import ENGINES
from jobs.publish_voice.model_card import size_of, write_card
from jobs.publish_voice.params import Params, Result
from jobs.publishing.hub import upload
from jobs.qwen.model_files import ENCODER_FILE, check_model, read_model_config
from jobs.qwen.model_info import describe_model
from jobs.runner.worker.context import JobContext

CHECKED = "every weight's header and all configs, as qwen_tts reads them"


def run(params: Params, context: JobContext, api: HfApi | None = None) -> Result:
    """Publish a voice. Killed at any moment, the same call goes on; the card is written last.

    Raises:
        UserError: ``publication_unclean``, those of the voice's files, of the ratings and of ``upload``.
    """
    folder = make_folder(Path(params.out_dir) if params.out_dir else Path(params.model).parent / f"for-{params.engine}")
    files = list_files(params)
    write_card(params, files)  # nothing unclean is written
    _write_files(folder, files, context)
    hashes = {file.name: hash_file(folder / file.name) for file in files}
    card = write_card(params, files, hashes).encode()
    write_bytes(folder / README, card)
    check_model(folder, str(folder))
    speakers = list(describe_model(folder).speakers)
    size = size_of(read_model_config(folder))
    context.publish("voice", folder, "model")
    sizes = [len(card), *(file.size_bytes for file in files)]
    result = Result(
        folder=str(folder),
        n_files=len(sizes),
        megabytes=round(sum(sizes) / 1e6, 1),
        speakers=speakers,
        commands=ENGINES[params.engine].commands_for(str(folder), speakers[0], size),
        checked=CHECKED,
    )
    if params.repository is None:
        return result
    named = {file.name: folder / file.name for file in files} | {README: folder / README}
    commit = upload(params.repository, named, private=params.private, context=context, api=api)
    return result.model_copy(update={"address": commit.address, "commit": commit.revision})


def _write_files(folder: Path, files: Sequence[PublishedFile], context: JobContext) -> None:
    """Write all files, and remove what an earlier publication in the same folder had besides."""
    wanted = {file.name for file in files}
    for path in (folder / ENCODER_FILE, *sorted((folder / SAMPLES).glob("[0-9][0-9].wav"))):
        if path.relative_to(folder).as_posix() not in wanted and path.is_file():
            remove(path)
    total = sum(file.size_bytes for file in files) / 1e6
    done = 0.0
    for file in files:
        context.raise_if_cancelled()
        context.progress(done, total, f"writing {file.name} (MB)")
        make_folder((folder / file.name).parent)
        if file.source is None:
            write_bytes(folder / file.name, file.content)
        elif file.content:
            copy_file(file.source, folder / file.name, beginning=file.content)
        else:
            link_file(file.source, folder / file.name)
        done += file.size_bytes / 1e6
