"""Links that add the MCP entry to an editor when they are opened: made here, for they name this machine's program."""

import base64
import json
from urllib.parse import quote

from server.skill.client_configs import NAME, ServerEntry


def make_links(entry: ServerEntry) -> dict[str, str]:
    """Return the link of each editor by its name."""
    fields = {"command": entry.command, "args": list(entry.args)} | ({"env": dict(entry.env)} if entry.env else {})
    named = quote(json.dumps({"name": NAME, **fields}), safe="")
    config = quote(base64.b64encode(json.dumps(fields).encode()).decode(), safe="")
    return {
        "VS Code": f"vscode:mcp/install?{named}",
        "VS Code Insiders": f"vscode-insiders:mcp/install?{named}",
        "Cursor": f"cursor://anysphere.cursor-deeplink/mcp/install?name={NAME}&config={config}",
    }
