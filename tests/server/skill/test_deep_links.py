"""Links that add the server to an editor: what the editor reads out of them."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from jobs.installation import COMMAND
from jobs.settings import Settings
from server.skill.client_configs import ServerEntry
from server.skill.command import install_command
from server.skill.deep_links import make_links


def test_an_editor_reads_command_arguments_and_variables_out_of_its_link() -> None:
    entry = ServerEntry("/opt/tts & train/run.sh", env={"TTS_TRAIN_HOME": "/data/é"})
    fields = {"command": "/opt/tts & train/run.sh", "args": ["mcp"], "env": {"TTS_TRAIN_HOME": "/data/é"}}

    links = make_links(entry)
    cursor = parse_qs(urlsplit(links["Cursor"]).query)

    scheme, _, query = links["VS Code"].partition("?")
    assert scheme == "vscode:mcp/install"
    assert json.loads(unquote(query)) == {"name": "tts-train", **fields}
    assert links["VS Code Insiders"] == f"vscode-insiders:mcp/install?{query}"
    assert cursor["name"] == ["tts-train"]
    assert json.loads(base64.b64decode(cursor["config"][0])) == fields


def test_the_command_prints_the_links_of_this_installation_and_changes_nothing(tmp_path: Path) -> None:
    settings = replace(Settings.from_environment(), home=tmp_path / "home")

    printed = install_command(["--links", "--json"], settings, "about", home=tmp_path)

    config = json.loads(unquote(json.loads(printed)["VS Code"].partition("?")[2]))
    assert config["command"] == str(COMMAND)
    assert config["env"]["TTS_TRAIN_HOME"] == str(tmp_path / "home")
    assert list(tmp_path.iterdir()) == []
