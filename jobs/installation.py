"""Place of the program's own files: a checkout, or an environment that its wheel is installed in. stdlib only.

A wheel brings what is not code (``run.sh``, the skill, the samples) as ``share/tts-train`` beside its ``lib``.
"""

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from jobs.files.user_folder import expand_user

CODE = Path(__file__).resolve().parent.parent
PACKAGES = ("jobs", "server", "tools")
SHARE = Path("share") / "tts-train"


def find_files(code: Path) -> Path:
    """Return the folder of ``run.sh``, ``SKILL.md``, ``references`` and ``samples`` of the code in a folder.

    It is the code's own, of ``pip --target`` below it, or that of the ``lib`` that the code is installed in; a folder
    further up is another user's, perhaps.
    """
    places = [code, code / SHARE]
    python = code if code.name == "python" else code.parent
    is_installed = code.name in ("site-packages", "dist-packages", "python") and python.name.startswith("python")
    if is_installed and python.parent.name in ("lib", "lib64"):
        places.append(python.parent.parent / SHARE)
    return next((place for place in places if (place / "run.sh").is_file()), code)


FILES = find_files(CODE)
IS_CHECKOUT = FILES == CODE
COMMAND = FILES / "run.sh" if IS_CHECKOUT else Path(sys.executable).with_name("tts-train")
"""The program's command line."""
PROGRAM = "./run.sh" if IS_CHECKOUT else "tts-train"
"""Its name, as people type it."""


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of home and environments: of the checkout, else the user's own for data (XDG).

    A checkout that an update replaces, such as a plugin's, sets ``TTS_TRAIN_DATA=user`` to use the latter too.
    """
    if IS_CHECKOUT and environ.get("TTS_TRAIN_DATA") != "user":
        return CODE
    return expand_user(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "tts-train"


def find_import_folder(envs: Path) -> Path:
    """Return the folder from which another environment imports the program: the checkout, else ``envs/code``.

    An installed program lies among the packages of its environment, which another one must not see.
    """
    return CODE if IS_CHECKOUT else envs / "code"


def link_code(envs: Path) -> None:
    """Make or renew the links of ``envs/code``, see ``find_import_folder``. Nothing in a checkout."""
    if IS_CHECKOUT:
        return
    folder = find_import_folder(envs)
    folder.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        link, target = folder / name, CODE / name
        if link.is_symlink() and link.readlink() == target:
            continue
        beside = folder / f".{name}.{os.getpid()}"
        beside.symlink_to(target)
        with contextlib.suppress(FileNotFoundError):
            beside.replace(link)
