"""A repository on the Hugging Face Hub: files are uploaded one by one, then named in a single commit.

The Hub knows files by their content, so after an interruption what was uploaded is not sent again, and a reader sees
all of a publication or nothing of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import LocalTokenNotFoundError

from jobs.errors import UserError
from jobs.runner.worker.context import JobContext
from jobs.text.redaction import redact

SOUND = ".wav"
LARGE = (".safetensors", SOUND)
SOUNDS_AT_ONCE = 100
Kind = Literal["model", "dataset"]
NAMES: Mapping[Kind, str] = MappingProxyType({"model": "voice", "dataset": "dataset"})


@dataclass(frozen=True)
class Commit:
    """A commit of a repository: its address and id."""

    address: str
    revision: str


def upload(
    repository: str,
    files: Mapping[str, Path],
    *,
    private: bool,
    context: JobContext,
    kind: Kind = "model",
    api: HfApi | None = None,
) -> Commit:
    """Upload files by their names and commit them to a repository of models or of datasets.

    Raises:
        UserError: ``hub_refused``, ``repository_public``.
    """
    api = api or HfApi()
    operations = [CommitOperationAdd(name, str(path)) for name, path in files.items()]
    sizes = {name: path.stat().st_size for name, path in files.items()}
    total_mb, done = sum(sizes.values()) / 1e6, 0
    try:
        api.create_repo(repository, private=private, exist_ok=True, repo_type=kind)
        if private and api.repo_info(repository, repo_type=kind).private is False:
            raise UserError(
                "repository_public",
                f"{repository} exists and everybody can read it.",
                "Give another repository; or private=false if it may be public. Nothing was uploaded.",
            )
        for group in group_uploads([one for one in operations if one.path_in_repo.endswith(LARGE)]):
            context.raise_if_cancelled()
            context.progress(done / 1e6, total_mb, f"uploading {group[0].path_in_repo} (MB)")
            api.preupload_lfs_files(repository, group, repo_type=kind)
            done += sum(sizes[one.path_in_repo] for one in group)
        context.raise_if_cancelled()
        message = f"Publish a {NAMES[kind]}"
        commit = api.create_commit(repository, operations, commit_message=message, repo_type=kind)
    except (OSError, LocalTokenNotFoundError) as error:
        raise UserError(
            "hub_refused",
            f"The Hub did not take {repository}: {redact(str(error))[:500]}",
            "Log in with `hf auth login` and a token that may write there, then call again: what was uploaded is kept.",
        ) from error
    context.progress(total_mb, total_mb, "published")
    return Commit(f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{repository}", str(commit.oid))


def group_uploads(operations: Sequence[CommitOperationAdd]) -> Iterator[list[CommitOperationAdd]]:
    """Iterate over the files of one upload each: weights alone, sounds together."""
    sounds: list[CommitOperationAdd] = []
    for operation in operations:
        if not operation.path_in_repo.endswith(SOUND):
            yield [operation]
            continue
        sounds.append(operation)
        if len(sounds) == SOUNDS_AT_ONCE:
            yield sounds
            sounds = []
    if sounds:
        yield sounds
