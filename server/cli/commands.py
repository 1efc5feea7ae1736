"""Tables of the command line: tools by name, short names for job tools, the original skill's commands, and commands
that are not tools.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

from jobs.errors import UserError
from jobs.installation import IS_CHECKOUT
from jobs.runner.job_kind import ShellCommand
from jobs.settings import Settings
from tools.core.registry import all_tools, ordered_tools
from tools.inputs.arguments import nearest


@dataclass(frozen=True)
class PlainCommand:
    """A command that is not a tool.

    Attributes:
        about: one line for the overview.
        entry: ``module:function``, loaded when it is called with its words, the settings and ``about``. It returns the
            text for stdout.
    """

    about: str
    entry: str

    def load(self) -> Callable[[Sequence[str], Settings, str], str]:
        """Import the function."""
        module, _, function = self.entry.partition(":")
        loaded: Callable[[Sequence[str], Settings, str], str] = getattr(import_module(module), function)
        return loaded


PLAIN_COMMANDS = {
    "logs": PlainCommand("Show a job's log: logs JOB_ID [-f to follow it].", "server.cli.logs:logs_command"),
    "plot": PlainCommand(
        "Draw the curves of a job's metrics: plot JOB_ID [--out FILE.png].", "server.cli.plot:plot_command"
    ),
    "gc": PlainCommand(
        "Delete the files of old finished jobs: gc [--older-than 30d] [--max-size 50G] [--yes].",
        "server.cli.gc:gc_command",
    ),
    "listen": PlainCommand(
        "Rate takes and choose blindly between two voices in a browser: listen TAKES [--against TAKES].",
        "server.listening.command:listen_command",
    ),
    "web": PlainCommand(
        "Jobs, datasets and voices in a browser: see, hear and correct: web [--port N].",
        "server.web.command:web_command",
    ),
    "mcp": PlainCommand(
        "The MCP server on stdio, for an agent's configuration; mcp --http [--port N] on a port.",
        "server.cli.serve:serve_command",
    ),
    "tools": PlainCommand("List the tools.", "server.cli.docs:tools_command"),
    "install-skill": PlainCommand(
        "Install the skill and the MCP entry for an agent: install-skill [--claude] [--codex] [--path P].",
        "server.skill.command:install_command",
    ),
    "uninstall-skill": PlainCommand("Remove what install-skill added.", "server.skill.command:uninstall_command"),
    "docs": PlainCommand("Regenerate the tables of tools in the pages.", "server.cli.docs:docs_command"),
    "bundle": PlainCommand(
        "Write an MCPB bundle for desktop clients: bundle [--out FOLDER] [--namespace io.github.OWNER].",
        "server.skill.bundle:bundle_command",
    ),
    "optuna-dashboard": PlainCommand(
        "The trials of a search in a browser: optuna-dashboard [STUDY] [--port N].",
        "server.dashboards.command:optuna_command",
    ),
    "tensorboard": PlainCommand(
        "Loss curves of every training in a browser: tensorboard [PORT] [--logdir DIR].",
        "server.dashboards.command:tensorboard_command",
    ),
}
INSTALLED_COMMANDS = {
    "demo": PlainCommand("The whole job on the sample.", "server.cli.installed:demo_command"),
    "doctor": PlainCommand("What is installed, what is missing.", "server.cli.installed:doctor_command"),
}
"""Commands of a program that is installed from a wheel; in a checkout they are those of run.sh."""
if not IS_CHECKOUT:
    PLAIN_COMMANDS |= INSTALLED_COMMANDS
# Commands of run.sh itself: suggested for a misspelt word.
SHELL_COMMANDS = {
    "setup": "make the locked environments",
    "demo": "the whole job on the sample",
    "doctor": "what is installed, what is missing",
    "test": "run the tests",
    "check": "lint, types and tests",
}


@dataclass(frozen=True)
class Command(ShellCommand):
    """A command that calls a tool.

    Attributes:
        tool: name of the tool.
        is_original: a command of the original skill; it waits for the job's end.
    """

    tool: str = ""
    is_original: bool = False


SHORT = (
    Command("jobs", tool="list_jobs", about="The newest jobs."),
    Command("job", ("job_id",), tool="get_job", about="Look at a job: job JOB_ID [--wait]."),
    Command("cancel", ("job_id",), tool="cancel_job", about="Stop a job; finished parts are kept."),
)


def original_commands() -> list[Command]:
    """Return the commands of the original skill, which the kinds of job declare, in the order of the work."""
    return [
        Command(**vars(command), tool=tool.name, is_original=True)
        for tool in ordered_tools()
        for command in tool.commands
    ]


def command_named(word: str, arguments: list[str]) -> Command:
    """Return the command of a word.

    An original command with the name of its tool, such as ``align``, means the tool itself when ``arguments`` begin
    with a flag.

    Raises:
        UserError: ``command_unknown`` with the nearest right one, or ``xtts_unsupported``.
    """
    plain = word.lower().replace("_", "-")
    if "xtts" in plain:
        raise UserError("xtts_unsupported", "XTTS is not supported; train Qwen3-TTS with train-qwen3.")
    for command in (*SHORT, *original_commands()):
        if command.name == plain:
            by_place = bool(arguments) and not arguments[0].startswith("-")
            return command if command.name != command.tool else replace(command, is_original=by_place)
    tool = all_tools().get(plain.replace("-", "_"))
    if tool is not None:
        return Command(tool.name, tool=tool.name)  # hyphens are understood, and underscores are the name
    raise _unknown(word)


def _unknown(word: str) -> UserError:
    known = {command.name: command.about for command in (*SHORT, *original_commands())}
    known |= {name: tool.summary for name, tool in all_tools().items()}
    known |= {name: command.about for name, command in PLAIN_COMMANDS.items()} | SHELL_COMMANDS
    near = nearest(word.replace("-", "_"), known) or nearest(word.replace("_", "-"), known)
    return UserError(
        "command_unknown",
        f"There is no command {word!r}." + (f" Did you mean {near!r}?" if near else ""),
        "./run.sh tools lists the tools, ./run.sh --help everything.",
    )
