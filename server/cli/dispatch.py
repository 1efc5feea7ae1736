"""The shell's commands: every tool, the original skill's words, and a few words for jobs."""

from __future__ import annotations

import functools
import json
import sys

import anyio
from pydantic import BaseModel

from jobs.environments.setup import make_environment
from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.cli.commands import ORIGINAL, OTHER_COMMANDS, SHORT, Command, command_named
from server.cli.dashboard import dashboard_command
from server.cli.docs import docs_command
from server.cli.exit_codes import DONE, FAILED, INTERRUPTED
from server.cli.flags import Parser, read_flags, spell
from server.cli.gc import collect_garbage
from server.cli.logs import show_log
from server.cli.plot import plot_command
from server.cli.render import ProgressBar, as_text
from server.cli.tensorboard import become, tensorboard_command
from server.listening.command import listen
from server.skill.command import skill_command
from tools.core.job_view import JobView, view_job
from tools.core.registry import Tool, all_tools
from tools.core.tool_types import ToolContext
from tools.docs.schema import listed
from tools.inputs.arguments import parse_arguments
from tools.rate_samples import RateSamplesAnswer

A_WEEK_S = 7 * 24 * 3600.0


def dispatch(words: list[str]) -> int:
    """Run one command and return its exit code."""
    if not words or words[0] in ("-h", "--help", "help"):
        _say(_overview())
        return DONE
    word, rest = words[0], words[1:]
    match word.replace("_", "-"):
        case "tools":
            return _list_tools(rest)
        case "logs":
            return _logs(rest)
        case "docs":
            _say(docs_command(rest, OTHER_COMMANDS["docs"]))
            return DONE
        case "install-skill" | "uninstall-skill" as wanted:
            _say(skill_command(wanted, rest, Settings.at_the_shell(), OTHER_COMMANDS[wanted]))
            return DONE
        case "plot":
            _say(plot_command(rest, Settings.at_the_shell(), OTHER_COMMANDS["plot"]))
            return DONE
        case "gc":
            _say(collect_garbage(rest, Runner(Settings.at_the_shell()), OTHER_COMMANDS["gc"]))
            return DONE
        case "listen":
            listen(rest, Settings.at_the_shell(), _note)
            return DONE
        case "tensorboard":
            return _become(tensorboard_command(rest, Settings.at_the_shell()))
        case "optuna-dashboard":
            about = OTHER_COMMANDS["optuna-dashboard"]
            return _become(dashboard_command(rest, Settings.at_the_shell(), about))
        case _:
            command = command_named(word, rest)
            return _run(command, all_tools()[command.tool], rest)


def _run(command: Command, tool: Tool, words: list[str]) -> int:
    """Call a tool, wait for its job if wanted, and show the answer."""
    arguments, notes, options = read_flags(command, tool, words)
    for note in notes:
        _note(note)
    args = parse_arguments(
        tool.args, arguments, tool=command.name, spell=spell, explained=f"See ./run.sh {command.name} --help"
    )
    settings = Settings.at_the_shell()
    runner = Runner(settings)
    answer = _call(tool, args, ToolContext(settings, runner))
    code = DONE
    if getattr(options, "@wait", None) or (_waits(command, tool) and getattr(options, "@wait", None) is None):
        answer, code = _wait(answer, runner)
    job = job_in(answer)
    wants_json = getattr(options, "@json")
    _say(json.dumps(answer.model_dump(mode="json"), ensure_ascii=False) + "\n" if wants_json else as_text(answer))
    is_about_job = tool.kind is not None or tool.name == "get_job"
    if code == DONE and is_about_job and job is not None and job.state in ("failed", "cancelled"):
        return FAILED
    return code


def _call(tool: Tool, args: BaseModel, context: ToolContext) -> BaseModel:
    """Call a tool; when everything is in order but the environment of its job is not there, make that first."""
    call = functools.partial(anyio.run, functools.partial(tool.run, args, context))
    try:
        return call()
    except UserError as error:
        if error.code != "environment_missing" or tool.kind is None:
            raise
        make_environment(tool.kind.environment)
        return call()


def job_in(answer: BaseModel) -> JobView | None:
    """The job that an answer tells of."""
    if isinstance(answer, RateSamplesAnswer):
        return answer.job
    return answer if isinstance(answer, JobView) else None


def _waits(command: Command, tool: Tool) -> bool:
    return command.is_original or (tool.kind is not None and (sys.stdout.isatty() or sys.stderr.isatty()))


def _wait(answer: BaseModel, runner: Runner) -> tuple[BaseModel, int]:
    """Follow the answer's job to its end; Ctrl-C ends the following, not the job."""
    job = job_in(answer)
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
    seen = view_job(record, runner, reused=job.reused, detail=True)  # a person pays for no word
    return (answer.model_copy(update={"job": seen}) if answer is not job else seen), code


def _list_tools(words: list[str]) -> int:
    parser = Parser(prog="./run.sh tools", description=OTHER_COMMANDS["tools"])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    tools = all_tools().values()
    if parser.parse_args(words).json:
        _say(json.dumps({"tools": [listed(tool) for tool in tools]}, ensure_ascii=False) + "\n")
    else:
        _say("".join(f"{tool.name:22}{tool.summary}\n" for tool in tools))
    return DONE


def _logs(words: list[str]) -> int:
    parser = Parser(prog="./run.sh logs", description=OTHER_COMMANDS["logs"])
    parser.add_argument("job_id", metavar="JOB_ID")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job is finished")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(words)
    runner = Runner(Settings.at_the_shell())
    if options.json:
        lines = runner.log_tail(options.job_id, 100_000)
        told = {"job_id": options.job_id, "path": str(runner.log_path(options.job_id)), "lines": lines}
        _say(json.dumps(told, ensure_ascii=False) + "\n")
    elif not show_log(runner, options.job_id, sys.stdout, follow=options.follow):
        _note(f"{options.job_id} has no log yet.")
    return DONE


def _become(command: list[str]) -> int:
    _note(f"{' '.join(command[1:])}; Ctrl-C ends it.")
    become(command)
    return DONE


def _overview() -> str:
    tools = "".join(f"  {tool.name:24}{tool.summary}\n" for tool in all_tools().values())
    short = "".join(f"  {command.name:24}{command.about}\n" for command in SHORT)
    other = "".join(f"  {name:24}{about}\n" for name, about in OTHER_COMMANDS.items())
    original = "".join(f"  {command.about}\n" for command in ORIGINAL)
    return (
        "From an audiobook to a trained Qwen3-TTS voice.\n\n"
        f"Tools (./run.sh TOOL --flags, ./run.sh TOOL --help; every one takes --json):\n{tools}\n"
        f"Jobs and more:\n{short}{other}\n"
        f"The original skill's commands:\n{original}  align MANIFEST OUT ROOT\n\n"
        "Exit codes: 0 done, 1 the job failed, 2 bad input.\n"
    )


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _note(text: str) -> None:
    sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()
