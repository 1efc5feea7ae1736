"""Runs one command of the shell: a tool, or one of ``PLAIN_COMMANDS``."""

import functools
import json
import sys

import anyio
from pydantic import BaseModel

from jobs.config import read_settings_at_the_shell
from jobs.environments.environment_state import make_environment
from jobs.errors import UserError
from jobs.escaping import escape
from jobs.installation import PROGRAM
from jobs.runner.client.runner import Runner
from jobs.runner.provenance import project_version
from jobs.settings import Settings
from server.cli import DONE, FAILED, INTERRUPTED
from server.cli.commands import PLAIN_COMMANDS, SHORT, Command, command_named, original_commands
from server.cli.flags import can_wait, read_flags
from server.cli.hints import flag_name
from server.cli.render import ProgressBar, as_json, as_text
from tools.core.job_view import view_job
from tools.core.registry import Tool, all_tools
from tools.core.tool_types import ToolContext
from tools.core.views import find_job
from tools.inputs.arguments import parse_arguments
from tools.make_voice import MakeVoiceAnswer

A_WEEK_S = 7 * 24 * 3600.0


def dispatch(words: list[str]) -> int:
    """Run one command and return its exit code."""
    if not words or words[0] in ("-h", "--help", "help"):
        _print(_overview())
        return DONE
    if words[0] == "--version":
        _print(f"tts-train {project_version()}\n")
        return DONE
    word, rest = words[0], words[1:]
    plain = PLAIN_COMMANDS.get(word.replace("_", "-"))
    if plain is not None:
        # help is given with a faulty config.toml too
        asks_help = "-h" in rest or "--help" in rest
        _print(
            plain.load()(rest, Settings.from_environment() if asks_help else read_settings_at_the_shell(), plain.about)
        )
        return DONE
    command = command_named(word, rest)
    return _run(command, all_tools()[command.tool], rest)


def _run(command: Command, tool: Tool, words: list[str]) -> int:
    """Call a tool, wait for its job if wanted, and show the answer."""
    arguments, notes, options = read_flags(command, tool, words)
    for note in notes:
        _note(note)
    args = parse_arguments(
        tool.args, arguments, tool=command.name, spell=flag_name, explained=f"See ./run.sh {command.name} --help"
    )
    settings = read_settings_at_the_shell()
    runner = Runner(settings)
    answer = _call(tool, args, ToolContext(settings, runner))
    code = DONE
    if getattr(options, "@wait", None) or (_waits(command, tool, args) and getattr(options, "@wait", None) is None):
        answer, code = _wait(answer, runner)
    job = find_job(answer)
    wants_json = getattr(options, "@json")
    _print(json.dumps(as_json(answer), ensure_ascii=False) + "\n" if wants_json else as_text(answer))
    if code == DONE and can_wait(tool) and job is not None and job.state in ("failed", "cancelled"):
        return FAILED
    return code


def _call(tool: Tool, args: BaseModel, context: ToolContext) -> BaseModel:
    """Call a tool; if only the environment of its job is missing, install it and call again."""
    call = functools.partial(anyio.run, functools.partial(tool.run, args, context))
    try:
        return call()
    except UserError as error:
        if error.code != "environment_missing" or tool.kind is None:
            raise
        make_environment(tool.kind.environment)
        return call()


def _waits(command: Command, tool: Tool, args: BaseModel) -> bool:
    """Return whether a start waits for its job by default: not where the job itself is to start later."""
    if getattr(args, "not_before", None) is not None:
        return False
    return command.is_original or tool.kind is not None or tool.name == "make_voice"


def _wait(answer: BaseModel, runner: Runner) -> tuple[BaseModel, int]:
    """Wait for the answer's job, of a pipeline for the last; Ctrl-C ends the waiting, not the job."""
    job = find_job(answer)
    if job is None and isinstance(answer, MakeVoiceAnswer) and answer.steps[-1].job_id:  # its jobs follow each other
        answer = job = view_job(runner.get(answer.steps[-1].job_id), runner)
    if job is None or job.job_id is None:
        return answer, DONE
    bar = ProgressBar(sys.stderr)
    code = DONE
    try:
        record = runner.wait(job.job_id, A_WEEK_S, bar.update)
    except KeyboardInterrupt:
        record, code = runner.get(job.job_id), INTERRUPTED
        bar.close()
        _note(
            f"{job.job_id} goes on. Follow it: ./run.sh job {job.job_id} --wait. Stop it: ./run.sh cancel {job.job_id}"
        )
    else:
        bar.close()
    seen = view_job(record, runner, reused=job.reused, detail=True)
    return (answer.model_copy(update={"job": seen}) if answer is not job else seen), code


def _overview() -> str:
    tools = "".join(f"  {tool.name:24}{tool.summary}\n" for tool in all_tools().values())
    short = "".join(f"  {command.name:24}{command.about}\n" for command in SHORT)
    other = "".join(f"  {name:24}{command.about}\n" for name, command in PLAIN_COMMANDS.items())
    original = "".join(f"  {command.about}\n" for command in original_commands())
    return (
        "From an audiobook to a trained Qwen3-TTS voice.\n\n"
        f"Tools (./run.sh TOOL --flags, ./run.sh TOOL --help; every one takes --json):\n{tools}\n"
        f"Jobs and more:\n{short}{other}\n"
        f"The original skill's commands:\n{original}\n"
        "Exit codes: 0 done, 1 the job failed, 2 bad input.\n"
    )


def _print(text: str) -> None:
    sys.stdout.write(escape(text.replace("./run.sh", PROGRAM)))
    sys.stdout.flush()


def _note(text: str) -> None:
    sys.stderr.write(escape(text).rstrip("\n") + "\n")
    sys.stderr.flush()
