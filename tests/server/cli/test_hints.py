"""Calls and arguments in the words of the shell; no answer at the shell speaks of agents, or to agents of the shell."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.runner.call_text import call_text
from jobs.runner.client.runner import Runner
from jobs.settings import PROJECT_ROOT, Settings
from server.cli.commands import SHORT, command_named, original_commands
from server.cli.flags import parser_for, read_flags
from server.cli.hints import as_shell_text
from server.cli.main import main
from server.mcp.prompts import PROMPTS, prompt_text
from server.mcp.server import INSTRUCTIONS
from tools.core.job_view import next_step
from tools.core.registry import all_tools
from tools.docs.help import help_text
from tools.inputs.arguments import parse_arguments

CALLS = [
    ("align", {"manifest": '/d/it\'s "mine"/train_manifest.jsonl', "min_word_score": 0.5}),
    ("get_job", {"job_id": "align-20261125-120000-abcd", "log_lines": 50}),
    ("synthesize", {"model": "toy", "texts": ["One, two.", "--three", "$HOME `x`"], "language": "english"}),
    ("ingest_audiobook", {"audio": "a b.m4b", "voice": "anna", "quality": {"dnsmos": "off", "min_snr_db": 20}}),
    ("start_training", {"manifest": "m.jsonl", "lr": 1e-06, "priority": -5, "dry_run": True, "reuse": False}),
    ("rate_samples", {"takes": "t", "ratings": [{"audio": "a.wav", "score": 4, "note": "good, slow"}]}),
    ("list_jobs", {}),
]


@pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=[tool for tool, _ in CALLS])
def test_the_command_is_the_call(tool: str, arguments: dict[str, object]) -> None:
    known = all_tools()[tool]
    arguments = {name: value for name, value in arguments.items() if name in known.args.model_fields}

    command = as_shell_text(f"Look, then call {call_text(tool, arguments)}").removeprefix("Look, then call ")

    runner, word, *words = shlex.split(command)
    read, _, _ = read_flags(command_named(word, words), known, words)
    assert runner == "./run.sh"
    assert parse_arguments(known.args, read, tool=tool) == parse_arguments(known.args, arguments, tool=tool)


def test_a_call_that_waits_is_the_command_with_a_progress_bar() -> None:
    text = as_shell_text('Running. Follow it with get_job job_id="align-1" wait_s=50.')

    assert text == "Running. Follow it with ./run.sh job align-1 --wait."


@pytest.mark.parametrize(
    ("text", "shell"),
    [
        ("base_model=toy needs neither.", "--base-model toy needs neither."),
        ("Check with dry_run=true, or reuse=false.", "Check with --dry-run, or --no-reuse."),
        ("load_in_4bit needs method=lora: why", "load_in_4bit needs --method lora: why"),
        ("/data/voice=anna/book.txt", "/data/voice=anna/book.txt"),
        ("name=value,name=value", "name=value,name=value"),
        ("audio=a.wav,score=4", "audio=a.wav,score=4"),
    ],
)
def test_an_argument_outside_a_call_is_a_flag(text: str, shell: str) -> None:
    assert as_shell_text(text) == shell


@pytest.mark.parametrize(
    "text",
    [
        "align is the next step.",
        "It was made by ingest_audiobook; see references/shell.md.",
        'Call align manifest="/a/very/long…',
        "Read ./run.sh align --help",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert as_shell_text(text) == text


# Words for an agent: it has a person to ask, and polls.
FOR_AGENTS = re.compile(r"\b([Aa]sks? the person|the person|in chat|poll_after_s)\b")
# A call or an argument as an agent writes it.
TOOL_SYNTAX = re.compile(
    rf"\b({'|'.join(all_tools())}) \w+=|\b(dry_run|wait_s|job_id|reuse|base_model|method|detail)=\w"
)
# Commands that are tools, and flags.
WITH_TOOLS = "|".join([*all_tools(), "jobs", "job", "cancel", "logs", "plot"])
FOR_SHELLS = re.compile(rf"\./run\.sh ({WITH_TOOLS})\b|(?<![\w-])--[a-z]")
# The first quotes a command of another program; the second checks the words of a command of the shell.
EXCEPTIONS = ("jobs/qwen/hub/resolve.py:", "jobs/tune_hparams/spec.py:")


@pytest.mark.parametrize("name", [*(command.name for command in (*SHORT, *original_commands())), *all_tools()])
def test_help_speaks_to_a_person_at_a_shell(name: str) -> None:
    command = command_named(name, [])

    text = parser_for(command, all_tools()[command.tool]).format_help()

    assert not FOR_AGENTS.search(text)
    assert not TOOL_SYNTAX.search(text)


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without jobs that the commands of this process use."""
    python = tmp_path / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setenv("TTS_TRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TTS_TRAIN_ENVS", str(tmp_path / "envs"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "list_jobs",
        "list_jobs --explain start_training",
        "list_jobs --state failed",
        "job none",
        "cancel none",
        "logs none",
        "plot none",
        "get_artifact --handle artifact://none/x",
        "align --manifest none.jsonl",
        "align --manifset none.jsonl",
        "align --manifest none.jsonl --after none",
        "start_training --manifest none.jsonl --load-in-4bit",
        "start_training --manifest none.jsonl --base-model nowhere",
        "synthesize --model nowhere --texts One.",
        "rate_samples --takes none",
        "make_voice --audio none.m4b --voice anna",
        "schedule_job --tool none --every 1d",
        "listen none",
        "tensorboard --what",
        "optuna-dashboard",
    ],
)
def test_an_answer_at_the_shell_speaks_to_a_person(
    line: str, empty_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(shlex.split(line))

    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert text
    assert not FOR_AGENTS.search(text)
    assert not TOOL_SYNTAX.search(text)


@pytest.mark.parametrize("state", ["queued", "running", "interrupted", "cancelled", "failed"])
def test_the_next_step_of_a_job_is_a_command(state: str, home_with_a_job: tuple[Settings, str]) -> None:
    settings, job_id = home_with_a_job
    runner = Runner(settings)
    record = runner.get(job_id).model_copy(update={"state": state})

    text = as_shell_text(next_step(record, runner))

    assert "./run.sh " in text
    assert not FOR_AGENTS.search(text)
    assert not TOOL_SYNTAX.search(text)


def test_no_text_for_an_agent_speaks_of_the_shell() -> None:
    prompts = [prompt_text(name, {a.name: "x" for a in prompt.arguments}) for name, prompt in PROMPTS.items()]

    for text in (INSTRUCTIONS, *prompts, *(help_text(tool) for tool in all_tools().values())):
        assert not FOR_SHELLS.search(text), FOR_SHELLS.search(text)


def test_no_error_speaks_of_the_shell_or_of_agents() -> None:
    found = [
        f"{file.relative_to(PROJECT_ROOT)}:{line}: {text}"
        for room in ("jobs", "tools")
        for file in sorted((PROJECT_ROOT / room).rglob("*.py"))
        for line, text in texts_of_errors(ast.parse(file.read_text(encoding="utf-8")))
        if FOR_SHELLS.search(text) or FOR_AGENTS.search(text)
    ]

    assert [line for line in found if not line.startswith(EXCEPTIONS)] == []


def texts_of_errors(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of the strings in every ``UserError(...)``."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("UserError"):
            for node in ast.walk(call):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.lineno, node.value


def test_a_call_with_a_gap_is_a_command_with_a_gap() -> None:
    text = 'Or start_training manifest=… base_model="toy" lr=1e-05 and the other settings.'

    assert as_shell_text(text) == (
        "Or ./run.sh start_training --manifest … --base-model toy --lr 1e-05 and the other settings."
    )


@pytest.mark.parametrize("name", sorted(all_tools()))
def test_the_text_of_a_tool_gets_flags_of_its_arguments_only(name: str) -> None:
    tool = all_tools()[name]

    shell = as_shell_text(f"{tool.description}\nNewest first, 0..50.", tool)

    assert not re.search(r"---|--(?![a-z])", shell)
    assert shell.endswith("Newest first, 0..50.")


def test_the_list_of_jobs_has_its_short_name() -> None:
    assert as_shell_text("Call list_jobs for the known jobs.") == "Call ./run.sh jobs for the known jobs."
