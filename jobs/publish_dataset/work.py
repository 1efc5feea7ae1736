"""Work of ``publish_dataset``: write the folder, its card last, then upload it where a repository is given."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi

from jobs.files.atomic_io import write_bytes
from jobs.files.folders import make_folder, remove
from jobs.files.reading import hash_file
from jobs.publish_dataset.contents import (
    METADATA,
    README,
    SPLITS,
    PublishedClip,
    find_folder,
    list_clips,
    refuse_inside,
)
from jobs.publish_dataset.dataset_card import count_hours, write_card
from jobs.publish_dataset.params import Params, Result
from jobs.publish_dataset.sounds import read_sound
from jobs.publishing.hub import upload
from jobs.runner.worker.context import JobContext

WAVS = "[0-9][0-9][0-9]/[0-9][0-9][0-9][0-9][0-9][0-9].wav"


def run(params: Params, context: JobContext, api: HfApi | None = None) -> Result:
    """Publish a dataset. Killed at any moment, the same call goes on; the card is written last.

    Raises:
        UserError: ``publication_unclean``, ``output_is_input``, those of the manifest, of the clips and of ``upload``.
    """
    manifest = Path(params.manifest)
    folder = make_folder(find_folder(params))
    clips = list_clips(manifest, context.settings)
    refuse_inside(clips, folder)
    write_card(params, clips)  # nothing unclean is written
    digests = _write_clips(folder, clips, context)
    hashes: dict[str, str] = {}
    for split in SPLITS:
        name = f"{split}/{METADATA}"
        lines = [
            json.dumps(one.describe(digests[one.name]), ensure_ascii=False) for one in clips if one.clip.split == split
        ]
        if lines:
            content = "".join(f"{line}\n" for line in lines).encode()
            write_bytes(folder / name, content)
            hashes[name] = hashlib.sha256(content).hexdigest()
        elif (folder / name).is_file():
            remove(folder / name)
    write_bytes(folder / README, write_card(params, clips, hashes).encode())
    context.publish("dataset", folder, "dataset")
    names = [README, *hashes, *digests]
    result = Result(
        folder=str(folder),
        n_clips=len(clips),
        hours=round(count_hours(one.clip for one in clips), 3),
        n_files=len(names),
        megabytes=round(sum((folder / name).stat().st_size for name in names) / 1e6, 1),
    )
    if params.repository is None:
        return result
    files = {name: folder / name for name in names}
    commit = upload(params.repository, files, private=params.private, context=context, kind="dataset", api=api)
    return result.model_copy(update={"address": commit.address, "commit": commit.revision})


def _write_clips(folder: Path, clips: Sequence[PublishedClip], context: JobContext) -> dict[str, str]:
    """Write the clips that are not there yet; remove those of an earlier publication. Return hashes by name."""
    wanted = {one.name for one in clips}
    for split in SPLITS:
        for path in sorted((folder / split).glob(WAVS)):
            if path.relative_to(folder).as_posix() not in wanted and path.is_file():
                remove(path)
    digests: dict[str, str] = {}
    for index, one in enumerate(clips):
        context.raise_if_cancelled()
        context.progress(index, len(clips), "writing clips")
        content, target = read_sound(one.source), folder / one.name
        digests[one.name] = hashlib.sha256(content).hexdigest()
        if not target.is_file() or hash_file(target) != digests[one.name]:
            make_folder(target.parent)
            write_bytes(target, content)
    return digests
