"""Manifests of this checkout as a plugin, each made from ``pyproject.toml`` and ``SKILL.md``.

Sources: Agent Plugins 1.0.0 (``plugin.json``, ``mcp.json``, ``skills/``), the plugin references of Claude Code and of
Codex, and Gemini CLI's extensions. A plugin is replaced when it is updated, so the server keeps home and environments
in the user's own data folder (``TTS_TRAIN_DATA=user``).
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.files.reading import read_bytes
from jobs.settings import PROJECT_ROOT

AUTHOR = "the tts-train authors"
TITLE = "tts-train"
KEYWORDS = ("tts", "voice", "audiobook", "qwen3-tts", "training", "speech", "mcp")
SKILL = "skills/tts-train/SKILL.md"
ENV = {"TTS_TRAIN_DATA": "user"}
AGENT_PLUGINS = "https://agent-plugins.org/schemas/1.0.0"
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Project:
    """Facts of the project that all manifests give."""

    name: str
    version: str
    description: str
    license: str

    @classmethod
    def read(cls, root: Path = PROJECT_ROOT) -> "Project":
        """Read it from ``pyproject.toml``."""
        project = tomllib.loads(read_bytes(root / "pyproject.toml", MOST_BYTES).decode())["project"]
        return cls(project["name"], project["version"], project["description"], project["license"])

    def metadata(self) -> dict[str, Any]:
        """Return the fields that the plugin manifests share."""
        return {
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "author": {"name": AUTHOR},
            "license": self.license,
            "keywords": list(KEYWORDS),
        }


def make_manifests(skill: str) -> Mapping[str, str]:
    """Return the text of each manifest by its path in the checkout, for a text of the skill."""
    project = Project.read()
    common = project.metadata()
    # Of the hosts, only Claude Code replaces a variable in the command; the others start it in the plugin's folder.
    server = {"type": "stdio", "command": "./run.sh", "args": ["mcp"], "env": ENV}
    claude = {"command": "${CLAUDE_PLUGIN_ROOT}/run.sh", "args": ["mcp"], "env": ENV}
    codex = {"command": "./run.sh", "args": ["mcp"], "cwd": ".", "env": ENV, "startup_timeout_sec": 120}
    gemini = {"command": "${extensionPath}${/}run.sh", "args": ["mcp"], "env": ENV}
    manifests: dict[str, Any] = {
        "plugin.json": {"$schema": f"{AGENT_PLUGINS}/plugin.schema.json", **common},
        "mcp.json": {"$schema": f"{AGENT_PLUGINS}/mcp.schema.json", "mcpServers": {project.name: server}},
        ".claude-plugin/plugin.json": {**common, "mcpServers": {project.name: claude}},
        ".claude-plugin/marketplace.json": {
            "name": project.name,
            "owner": {"name": AUTHOR},
            "metadata": {"description": project.description, "version": project.version},
            "plugins": [{"name": project.name, "source": "./", "description": project.description}],
        },
        ".codex-plugin/plugin.json": {
            **common,
            "skills": "./skills/",
            "mcpServers": {project.name: codex},
            "interface": {
                "displayName": TITLE,
                "shortDescription": project.description,
                "developerName": AUTHOR,
                "category": "Productivity",
                "capabilities": ["Interactive", "Write"],
                "defaultPrompt": ["Make a voice from my audiobook."],
            },
        },
        "gemini-extension.json": {
            "name": project.name,
            "version": project.version,
            "description": project.description,
            "mcpServers": {project.name: gemini},
            "contextFileName": SKILL,
        },
    }
    texts = {path: json.dumps(manifest, indent=2, ensure_ascii=False) + "\n" for path, manifest in manifests.items()}
    return {**texts, SKILL: make_skill(skill)}


def make_skill(text: str) -> str:
    """Return the skill for the folder ``skills/tts-train``: its paths lead two folders up."""
    return text.replace("](references/", "](../../references/").replace("`./run.sh", "`../../run.sh")
