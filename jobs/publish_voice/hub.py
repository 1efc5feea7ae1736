"""A repository on the Hugging Face Hub: files are uploaded one by one, then named in a single commit.

The Hub knows files by their content, so after an interruption what was uploaded is not sent again, and a reader sees
all of a publication or nothing of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import LocalTokenNotFoundError

from jobs.errors import UserError
from jobs.runner.worker.context import JobContext
from jobs.text.redaction import redact

LARGE = (".safetensors", ".wav")


@dataclass(frozen=True)
class Commit:
    """A commit of a repository: its address and id."""

    address: str
    revision: str


def upload(
    repository: str, files: Mapping[str, Path], *, private: bool, context: JobContext, api: HfApi | None = None
) -> Commit:
    """Upload files by their names and commit them.

    Raises:
        UserError: ``hub_refused``, ``repository_public``.
    """
    api = api or HfApi()
    operations = [CommitOperationAdd(name, str(path)) for name, path in files.items()]
    sizes = [path.stat().st_size for path in files.values()]
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        if private and api.model_info(repository).private is False:
            raise UserError(
                "repository_public",
                f"{repository} exists and everybody can read it.",
                "Give another repository; or private=false if the voice may be public. Nothing was uploaded.",
            )
        for index, operation in enumerate(operations):
            context.raise_if_cancelled()
            context.progress(sum(sizes[:index]) / 1e6, sum(sizes) / 1e6, f"uploading {operation.path_in_repo} (MB)")
            if operation.path_in_repo.endswith(LARGE):
                api.preupload_lfs_files(repository, [operation])
        context.raise_if_cancelled()
        commit = api.create_commit(repository, operations, commit_message="Publish a voice")
    except (OSError, LocalTokenNotFoundError) as error:
        raise UserError(
            "hub_refused",
            f"The Hub did not take {repository}: {redact(str(error))[:500]}",
            "Log in with `hf auth login` and a token that may write there, then call again: what was uploaded is kept.",
        ) from error
    context.progress(sum(sizes) / 1e6, sum(sizes) / 1e6, "published")
    return Commit(f"{api.endpoint}/{repository}", str(commit.oid))
