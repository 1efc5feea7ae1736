"""``install-skill`` and ``uninstall-skill``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import UserError
from jobs.settings import PROJECT_ROOT, Settings
from server.cli.flags import Parser
from server.skill.client_configs import NAME, Entry
from server.skill.install import Place, claude, codex, install, is_there, uninstall


def skill_command(command: str, words: Sequence[str], settings: Settings, about: str, home: Path | None = None) -> str:
    """Run one of the two commands and say what was done.

    Args:
        command: ``install-skill`` or ``uninstall-skill``.
        words: its words.
        settings: what of the person's settings a client has to hand on.
        about: for the help.
        home: the person's home folder.

    Raises:
        UserError: ``bad_usage``, ``no_agent_found``, or what ``install`` raises.
    """
    parser = Parser(prog=f"./run.sh {command}", description=about)
    parser.add_argument(
        "--claude", action="store_true", help="Claude Code: ~/.claude/skills, ~/.claude.json, or CLAUDE_CONFIG_DIR"
    )
    parser.add_argument("--codex", action="store_true", help="Codex: in ~/.codex, or in CODEX_HOME")
    parser.add_argument("--path", metavar="FOLDER", help="with --claude or --codex: that project instead of the home; "
                        "alone: the skills folder of another agent")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(list(words))
    project = settings.roots[0] / Path(options.path).expanduser() if options.path else None
    places = _places(home or Path.home(), project, wants_claude=options.claude, wants_codex=options.codex)
    entry = Entry(str(PROJECT_ROOT / "run.sh"), env=_env(settings))
    said: list[str] = []
    for place in places:
        is_install = command == "install-skill"
        done = (
            install(place, entry, dry_run=options.dry_run) if is_install else uninstall(place, dry_run=options.dry_run)
        )
        said += [f"{place.agent}: {line}" for line in done]
    if any(place.config is None for place in places) and command == "install-skill":
        said.append("MCP entry for it: " + json.dumps({"mcpServers": {NAME: entry.as_json()}}))
    if options.json:
        return json.dumps({"done": said, "dry_run": options.dry_run}, ensure_ascii=False) + "\n"
    return "\n".join(said) + ("" if options.dry_run else "\nStart the agent anew to have it see this.") + "\n"


def _places(home: Path, project: Path | None, *, wants_claude: bool, wants_codex: bool) -> list[Place]:
    if project is not None and not wants_claude and not wants_codex:
        return [Place("agent", project, None)]
    if not wants_claude and not wants_codex:
        wants_claude, wants_codex = (is_there(agent(home, None)) for agent in (claude, codex))
    places = [claude(home, project)] if wants_claude else []
    places += [codex(home, project)] if wants_codex else []
    if not places:
        raise UserError(
            "no_agent_found",
            f"Neither Claude Code nor Codex has a folder in {home}.",
            "Say which: --claude, --codex, or --path FOLDER of another agent's skills.",
        )
    return places


def _env(settings: Settings) -> dict[str, str]:
    """What a client, which starts its servers with hardly any variable, has to hand on."""
    told = {"TTS_TRAIN_HOME": (settings.home, "var"), "TTS_TRAIN_ENVS": (settings.envs, ".envs")}
    return {name: str(path) for name, (path, default) in told.items() if path != PROJECT_ROOT / default}
