"""Libraries of the pages, shipped in ``vendor``: from npm, by a lock, with their licences.

``python -m server.web.vendored`` fetches them again and compares, ``--write`` replaces what is there.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.files.atomic_io import write_bytes, write_json
from jobs.files.copying import copy_file

VENDOR = Path(__file__).with_name("vendor")
LIST = "libraries.json"
NPM_S = 180
FILES: Mapping[str, tuple[str, ...]] = {
    "htmx.org": ("dist/htmx.min.js", "LICENSE"),
    "wavesurfer.js": ("dist/wavesurfer.min.js", "dist/plugins/regions.min.js", "LICENSE"),
    "uplot": ("dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"),
}
"""Files that are taken of each package; here they are in a folder of its name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch the libraries and compare or replace; return 1 when any differs."""
    parser = argparse.ArgumentParser(prog="python -m server.web.vendored", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the files in vendor")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        fetched = _fetch(Path(temporary))
    described = describe(fetched)
    if options.write:
        for name, content in fetched.items():
            write_bytes(VENDOR / name, content)
        write_json(VENDOR / LIST, described)
        return 0
    differing = [name for name, content in fetched.items() if (VENDOR / name).read_bytes() != content]
    sys.stderr.write("".join(f"{name} differs from the package\n" for name in differing))
    return 1 if differing else 0


def describe(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return version, licence and files with their SHA-256 of each library."""
    lock = json.loads((VENDOR / "package-lock.json").read_bytes())["packages"]
    return {
        package: {
            "version": lock[f"node_modules/{package}"]["version"],
            "license": lock[f"node_modules/{package}"]["license"],
            "files": {
                Path(name).name: hashlib.sha256(files[f"{package}/{Path(name).name}"]).hexdigest() for name in names
            },
        }
        for package, names in FILES.items()
    }


def read_vendored() -> dict[str, bytes]:
    """Return the files that are shipped."""
    names = [f"{package}/{Path(name).name}" for package, files in FILES.items() for name in files]
    return {name: (VENDOR / name).read_bytes() for name in names}


def _fetch(folder: Path) -> dict[str, bytes]:
    for name in ("package.json", "package-lock.json"):
        copy_file(VENDOR / name, folder / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=folder, timeout=NPM_S, check=True)
    return {
        f"{package}/{Path(name).name}": (folder / "node_modules" / package / name).read_bytes()
        for package, files in FILES.items()
        for name in files
    }


if __name__ == "__main__":
    sys.exit(main())
