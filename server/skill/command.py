"""``./run.sh install-skill`` and ``./run.sh uninstall-skill``."""

import json
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.installation import COMMAND, FILES, PROGRAM
from jobs.settings import Settings
from server.cli.flags import Parser
from server.skill.client_configs import NAME, ServerEntry
from server.skill.deep_links import make_links
from server.skill.install import AgentPaths, claude, codex, install, is_used, uninstall


def install_command(words: Sequence[str], settings: Settings, about: str, home: Path | None = None) -> str:
    """Install skill and MCP entry; return the text to print.

    Non-default paths in ``settings`` become environment variables of the entry.

    Raises:
        UserError: ``bad_usage``, ``no_agent_found``, or those of ``install``.
    """
    return _run("install-skill", words, settings, about, home)


def uninstall_command(words: Sequence[str], settings: Settings, about: str, home: Path | None = None) -> str:
    """Remove skill and MCP entry; return the text to print. Takes and raises the same as ``install_command``."""
    return _run("uninstall-skill", words, settings, about, home)


def _run(command: str, words: Sequence[str], settings: Settings, about: str, home: Path | None) -> str:
    is_install = command == "install-skill"
    parser = Parser(prog=f"{PROGRAM} {command}", description=about)
    parser.add_argument(
        "--claude", action="store_true", help="Claude Code: ~/.claude/skills, ~/.claude.json, or CLAUDE_CONFIG_DIR"
    )
    parser.add_argument("--codex", action="store_true", help="Codex: in ~/.codex, or in CODEX_HOME")
    parser.add_argument("--path", metavar="FOLDER", help="with --claude or --codex: that project instead of the home; "
                        "alone: the skills folder of another agent")  # fmt: skip
    if is_install:
        parser.add_argument("--links", action="store_true", help="only print links that VS Code and Cursor open")
    parser.add_argument("--dry-run", action="store_true", help="show what would be done")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(list(words))
    entry = ServerEntry(str(COMMAND), env=_env(settings))
    if is_install and options.links:
        links = make_links(entry)
        return json.dumps(links) + "\n" if options.json else "".join(f"{name}: {links[name]}\n" for name in links)
    project = settings.roots[0] / expand_user(options.path) if options.path else None
    agents = _agents(home or Path.home(), project, wants_claude=options.claude, wants_codex=options.codex)
    lines: list[str] = []
    for agent in agents:
        done = (
            install(agent, entry, dry_run=options.dry_run) if is_install else uninstall(agent, dry_run=options.dry_run)
        )
        lines += [f"{agent.name}: {line}" for line in done]
    if is_install and any(agent.config is None for agent in agents):
        lines.append("MCP entry for it: " + json.dumps({"mcpServers": {NAME: entry.as_json()}}))
    if options.json:
        return json.dumps({"done": lines, "dry_run": options.dry_run}, ensure_ascii=False) + "\n"
    if not options.dry_run:
        lines.append("Restart the agent to load it." if is_install else "Restart the agent to unload it.")
    return "\n".join(lines) + "\n"


def _agents(home: Path, project: Path | None, *, wants_claude: bool, wants_codex: bool) -> list[AgentPaths]:
    if project is not None and not wants_claude and not wants_codex:
        return [AgentPaths("agent", project, None)]
    if not wants_claude and not wants_codex:
        wants_claude, wants_codex = (is_used(agent(home, None)) for agent in (claude, codex))
    agents = [claude(home, project)] if wants_claude else []
    agents += [codex(home, project)] if wants_codex else []
    if not agents:
        raise UserError(
            "no_agent_found",
            f"Neither Claude Code nor Codex has a folder in {home}.",
            "Choose one: --claude, --codex, or --path FOLDER of another agent's skills.",
        )
    return agents


def _env(settings: Settings) -> dict[str, str]:
    """Return the variables for the server: clients start it with almost no environment."""
    paths = {"TTS_TRAIN_HOME": (settings.home, "var"), "TTS_TRAIN_ENVS": (settings.envs, ".envs")}
    return {name: str(path) for name, (path, default) in paths.items() if path != FILES / default}
