"""The tool ``get_artifact``."""

import hashlib
import itertools
import mimetypes
from pathlib import Path

from anyio import to_thread
from pydantic import Field

from jobs.errors import UserError
from jobs.files.own_files import walk_files
from jobs.files.reading import check_regular, read_bytes
from jobs.param_types import Strict, Untrusted
from jobs.plotting.render_client import draw_job_plot, draw_preview
from jobs.runner.artifacts import split_handle
from jobs.runner.client.runner import Runner
from jobs.runner.models import Artifact, Lineage
from jobs.text.redaction import redact
from tools.core.file_text import read_text
from tools.core.job_view import view_artifact
from tools.core.tool_types import Hints, Media, MediaAnswer, ToolContext
from tools.core.views import ArtifactView
from tools.inputs.paths import resolve_handle

HINTS = Hints(title="Get a file that a job made", read_only=True, order=930)
LARGEST_MEDIA_BYTES = 256 * 1024  # base64 of more would crowd out the conversation
LARGEST_PICTURE_BYTES = 16 * 1024 * 1024
LARGEST_TEXT_BYTES = 6 * 1024  # with the other fields an answer stays under 8 KB
CURVES = "curves"
DRAWN = (".wav", ".flac", ".jsonl")
MOST_ENTRIES = 30
MEDIA_TYPES = ("image/png", "image/jpeg", "audio/wav")
# Types that the mimetypes module does not know, or that differ between machines.
MIME_TYPES = {".wav": "audio/wav", ".jsonl": "application/jsonl", ".md": "text/markdown", ".log": "text/plain"}


class GetArtifactArgs(Strict):
    """Arguments of ``get_artifact``."""

    handle: str = Field(pattern=r"^artifact://[^/]+/.+$", description="As get_job lists it.")
    picture: bool = Field(
        False, description="A wav's spectrogram, a manifest's lengths. artifact://JOB/curves: losses."
    )
    inline: bool = Field(False, description="Content too: image or wav up to 256 KiB, text up to 6 KiB, folder list.")


class GetArtifactAnswer(ArtifactView, MediaAnswer):
    """Path and type of an artifact, and its content on request."""

    mime_type: str = ""
    text: Untrusted = ""
    is_cut: bool | None = None
    entries: list[Untrusted] = Field(default_factory=list)
    made_by: Lineage
    next: str = ""


async def get_artifact(args: GetArtifactArgs, context: ToolContext) -> GetArtifactAnswer:
    """Path, size, SHA-256 and lineage of what a job made; inline=true shows a plot, a report, a text.

    Other tools take the handle itself. Give wavs to the user as paths. Free.
    """
    return await to_thread.run_sync(_get, args, context)


def _get(args: GetArtifactArgs, context: ToolContext) -> GetArtifactAnswer:
    runner = context.runner
    job_id, name = split_handle(args.handle)
    artifact = _curves(job_id, context) if name == CURVES else find_artifact(args.handle, runner)
    if name == CURVES:
        args = args.model_copy(update={"inline": True, "picture": False})
    path = Path(artifact.path) if name == CURVES else resolve_handle(args.handle, "handle", context.settings, runner)
    answer = GetArtifactAnswer(
        **view_artifact(artifact).model_dump(), mime_type=guess_mime_type(path), made_by=runner.lineage(artifact.job_id)
    )
    if answer.made_by.state != "succeeded":
        answer.next = f"Its job is {answer.made_by.state}: the file may be incomplete."
    if args.picture:
        if path.suffix not in DRAWN:
            answer.next = f"A picture is made of {', '.join(DRAWN)} only; inline=true shows text, images and sound."
            return answer
        answer.attach(Media(draw_preview(path, f"{artifact.name} of {job_id}", context.settings), "image/png"))
        return answer
    if not args.inline:
        return answer
    if path.is_dir():
        names = sorted(item.relative_to(path).as_posix() for item in walk_files(path) if item.is_file())
        answer.entries, answer.is_cut = names[:MOST_ENTRIES], len(names) > MOST_ENTRIES or None
    elif answer.mime_type in MEDIA_TYPES:
        _attach(answer, path)
    elif is_text(answer.mime_type):
        text, is_cut = read_text(path, answer.mime_type, LARGEST_TEXT_BYTES)
        answer.text, answer.is_cut = redact(text), is_cut or None
    else:
        answer.next = "A file of this type cannot be shown; use its path."
    return answer


def _curves(job_id: str, context: ToolContext) -> Artifact:
    """Draw the curves of a job's metrics so far."""
    path = draw_job_plot(job_id, context.runner, context.settings)
    content = read_bytes(path, LARGEST_PICTURE_BYTES)
    sha256 = hashlib.sha256(content).hexdigest()
    return Artifact(job_id=job_id, name=CURVES, kind="plot", path=str(path), size_bytes=len(content), sha256=sha256)


def find_artifact(handle: str, runner: Runner) -> Artifact:
    """Return the record of a handle.

    Raises:
        UserError: ``artifact_unknown`` or ``job_unknown``.
    """
    job_id, name = split_handle(handle)
    published = runner.artifacts(job_id)
    found = next((artifact for artifact in published if artifact.name == name), None)
    if found is None:
        names = ", ".join(artifact.name for artifact in itertools.islice(published, MOST_ENTRIES)) or "nothing yet"
        raise UserError(
            "artifact_unknown", f"{job_id} has no artifact {name!r}; it has: {names}.", "Give one of these names."
        )
    return found


def guess_mime_type(path: Path) -> str:
    """Return the type of a file by its suffix; a folder has a type of its own."""
    if path.is_dir():
        return "inode/directory"
    return MIME_TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def is_text(mime_type: str) -> bool:
    """Return whether a file of this type is shown as text."""
    return mime_type.startswith("text/") or mime_type in ("application/json", "application/jsonl")


def _attach(answer: GetArtifactAnswer, path: Path) -> None:
    size_bytes = check_regular(path).st_size
    if size_bytes > LARGEST_MEDIA_BYTES:
        answer.next = f"{size_bytes / 1024:.0f} KiB is too large to send (at most 256); use its path."
    else:
        answer.attach(Media(read_bytes(path, LARGEST_MEDIA_BYTES), answer.mime_type))
