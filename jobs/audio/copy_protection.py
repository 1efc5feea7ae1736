"""Refusal of recordings that are protected against copying."""

from pathlib import Path

from jobs.errors import UserError
from jobs.files.reading import open_regular

# Sample entries of MP4 tracks whose packets are encrypted, with the scheme.
ENCRYPTED_ENTRIES = {"aavd": "Audible", "adrm": "Audible", "drms": "FairPlay", "enca": "common encryption"}
AUDIBLE_AA = b"\x57\x90\x75\x36"  # at byte 4 of Audible's older format


def refuse_protected(path: Path) -> None:
    """Raise ``UserError`` ``audio_protected`` for Audible's formats, by their first bytes."""
    with open_regular(path) as stream:
        head = stream.read(12)
    if head[4:8] == AUDIBLE_AA or head[4:11] == b"ftypaax":
        raise _protected(path, "Audible")


def refuse_encrypted(path: Path, entry: str) -> None:
    """Raise ``UserError`` ``audio_protected`` for an MP4 track whose sample entry names encrypted packets."""
    if entry in ENCRYPTED_ENTRIES:
        raise _protected(path, ENCRYPTED_ENTRIES[entry])


def _protected(path: Path, scheme: str) -> UserError:
    """Build the error for an encrypted file."""
    return UserError(
        "audio_protected",
        f"{path} is copy-protected ({scheme}): its audio is encrypted and cannot be read.",
        "Give a recording without protection, or one that you may export without it.",
    )
