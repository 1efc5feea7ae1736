"""Sound files of clips that may be sent to a page.

A dataset may be a stranger's, and its manifest may name any file. The person who started the application may read the
whole disk; a page gets no more of it than a client's tools.
"""

from pathlib import Path

from jobs.config import read_config
from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.corrections.base import MANIFEST
from jobs.errors import UserError
from jobs.files.reading import open_regular
from jobs.files.user_folder import expand_user
from jobs.settings import Settings
from jobs.trust.wide_folders import is_too_wide

_BEGINNING = 12
_CONTAINERS = (b"fLaC", b"OggS", b"ID3", b"\x1a\x45\xdf\xa3")


def find_clip_sound(dataset: Path, name: str, settings: Settings) -> Path:
    """Return the path of a clip's file in the dataset's folder or the folders that a client's tools may use.

    Raises:
        UserError: ``path_outside_dataset``, ``file_not_regular``, ``audio_unreadable``: it is no sound.
        OSError: it is missing or may not be read.
    """
    configured = [Path(settings.home, expand_user(root)).resolve() for root in read_config(settings.home).roots]
    roots = [root for root in settings.roots if not is_too_wide(root)]
    path = AudioRoots((*roots, *configured), settings.home).find(dataset / MANIFEST, dataset, name)
    with open_regular(path) as stream:
        beginning = stream.read(_BEGINNING)
    if not is_sound(beginning):
        raise UserError("audio_unreadable", f"{name!r} is no sound file.", "Check where the dataset comes from.")
    return path


def is_sound(beginning: bytes) -> bool:
    """Return whether a file that begins so is a sound file: WAV, FLAC, Ogg, MP3, AAC, MP4 or Matroska."""
    if beginning[:4] in (b"RIFF", b"RF64"):
        return beginning[8:12] == b"WAVE"
    if beginning[:1] == b"\xff":
        second = int.from_bytes(beginning[1:2], "big")
        return second & 0xE6 == 0xE2 or second & 0xF6 == 0xF0  # a frame of MPEG layer III, or of AAC (ADTS)
    return beginning.startswith(_CONTAINERS) or beginning[4:8] == b"ftyp"
