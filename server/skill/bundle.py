"""``./run.sh bundle``: an MCPB bundle for desktop clients, and ``server.json`` for the MCP registry.

Sources: the MCPB manifest, version 0.4, with a server of type ``uv``; the registry's schema of 2025-12-11.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from jobs.errors import UserError
from jobs.files.atomic_io import open_binary, write_text
from jobs.files.folders import make_folder
from jobs.settings import PROJECT_ROOT, Settings
from server.cli.flags import Parser
from tools.core.registry import all_tools
from tools.docs.plugin_manifests import AUTHOR, ENV, KEYWORDS, TITLE, Project

CONTENT = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "SKILL.md",
    "run.sh",
    "references",
    "samples",
    "jobs",
    "server",
    "tools",
)
REGISTRY = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
NAMESPACE = re.compile(r"[a-z0-9-]+(\.[A-Za-z0-9-]+)+")
MOST_DESCRIPTION = 100  # of the registry


def bundle_command(words: Sequence[str], settings: Settings, about: str, root: Path = PROJECT_ROOT) -> str:
    """Write ``tts-train.mcpb``, and ``server.json`` where a namespace is given; return their paths.

    Raises:
        UserError: ``bad_usage``.
    """
    parser = Parser(prog="./run.sh bundle", description=about)
    parser.add_argument("--out", metavar="FOLDER", help="default: dist in the home")
    parser.add_argument(
        "--namespace",
        help="of the registry, such as io.github.OWNER: writes server.json for a package that is published",
    )
    options = parser.parse_args(list(words))
    if options.namespace is not None and not NAMESPACE.fullmatch(options.namespace):
        raise UserError(
            "bad_usage",
            f"{options.namespace!r} is no namespace of the registry.",
            "Give a domain in reverse, such as io.github.OWNER.",
        )
    project = Project.read(root)
    folder = make_folder(settings.roots[0] / options.out if options.out else settings.home / "dist")
    made = [folder / f"{project.name}.mcpb"]
    with open_binary(made[0]) as stream, ZipFile(stream, "w", ZIP_DEFLATED) as bundle:
        _add(bundle, "manifest.json", json.dumps(make_manifest(project), indent=2).encode())
        for path in find_content(root):
            _add(bundle, path.relative_to(root).as_posix(), path.read_bytes(), executable=path.name == "run.sh")
    if options.namespace:
        made.append(folder / "server.json")
        write_text(made[1], json.dumps(make_server(project, options.namespace), indent=2) + "\n")
    return "".join(f"wrote {path}\n" for path in made)


def make_manifest(project: Project) -> dict[str, Any]:
    """Return the manifest of the bundle. The client brings uv, which brings Python and the server's packages."""
    return {
        "manifest_version": "0.4",
        "name": project.name,
        "display_name": TITLE,
        "version": project.version,
        "description": project.description,
        "author": {"name": AUTHOR},
        "license": project.license,
        "keywords": list(KEYWORDS),
        "server": {
            "type": "uv",
            "entry_point": "server/cli/main.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--no-editable", "--directory", "${__dirname}", project.name, "mcp"],
                "env": {**ENV, "TTS_TRAIN_ROOTS": "${user_config.folder}"},
            },
        },
        "user_config": {
            "folder": {
                "type": "directory",
                "title": "Folder of audiobooks",
                "description": "The tools read recordings below this folder and write datasets and voices there.",
                "required": True,
                "default": "${DOCUMENTS}",
            }
        },
        "tools": [{"name": tool.name, "description": tool.summary} for tool in all_tools().values()],
        "compatibility": {"platforms": ["linux", "darwin"], "runtimes": {"python": ">=3.11,<3.14"}},
    }


def make_server(project: Project, namespace: str) -> dict[str, Any]:
    """Return the entry of the registry for the package that the package index has under the project's name."""
    return {
        "$schema": REGISTRY,
        "name": f"{namespace}/{project.name}",
        "title": TITLE,
        "description": project.description[:MOST_DESCRIPTION],
        "version": project.version,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": project.name,
                "version": project.version,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "packageArguments": [{"type": "positional", "value": "mcp"}],
                "environmentVariables": [
                    {
                        "name": "TTS_TRAIN_ROOTS",
                        "description": "Folders with audiobooks, separated by colons.",
                        "isRequired": False,
                    }
                ],
            }
        ],
    }


def find_content(root: Path) -> Iterator[Path]:
    """Iterate over the files of the bundle, in order."""
    for name in CONTENT:
        start = root / name
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
                yield path


def _add(bundle: ZipFile, name: str, content: bytes, *, executable: bool = False) -> None:
    entry = ZipInfo(name)  # of 1980, whenever it is written
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = (0o755 if executable else 0o644) << 16
    bundle.writestr(entry, content)
