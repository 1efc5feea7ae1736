"""Printed commands with names that a shell would obey: each name arrives as one argument, and nothing else runs."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.call_text import argument_text, call_text
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.settings import PROJECT_ROOT, Settings
from server.cli.hints import SHORT_NAMES, as_shell_text, flag_name
from server.cli.main import main
from tools.core.errors import error_text
from tools.core.registry import all_tools

HOSTILE = [
    'b"; touch PWNED; "',
    "b'; touch PWNED; '",
    "$(touch PWNED)",
    "`touch PWNED`",
    "a; touch PWNED",
    "a\ntouch PWNED\n",
    "a\\",
    'a\\"; touch PWNED; \\"',
    "two  words ",
    "--help",
    "-",
    "*",
    "~/x",
    "!!",
    "a && touch PWNED | touch PWNED > PWNED #",
    "\x1b[2Jred\u202e\u200b",
    "é…\u2028",
    "x call list_jobs limit=1; touch PWNED",
    "x'$(touch PWNED)\n'",
]
# The stub of the program writes how many words it got, and the words.
STUB = '#!/bin/sh\nprintf \'%s\\0\' "$#" "$@" >>calls\n'


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A folder with a harmless ``run.sh``."""
    folder = tmp_path / "shell"
    folder.mkdir()
    (folder / "run.sh").write_text(STUB)
    (folder / "run.sh").chmod(0o755)
    return folder


def paste(commands: str, shell: Path) -> list[list[str]]:
    """Run commands as a person pastes them; return the words of each call of the program."""
    subprocess.run(["bash", "-n", "-c", commands], check=True, capture_output=True)
    done = subprocess.run(["bash", "-c", commands], cwd=shell, check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert sorted(path.name for path in shell.iterdir()) == ["calls", "run.sh"]
    words = [os.fsdecode(word) for word in (shell / "calls").read_bytes().split(b"\0")[:-1]]
    calls = []
    while words:
        n_words = int(words.pop(0))
        calls.append(words[:n_words])
        del words[:n_words]
    return calls


def expected(tool: str, argument: str, value: str) -> list[str]:
    """Words of a command with one argument; a value that looks like a flag is part of its flag's word."""
    flag = flag_name(argument)
    return [SHORT_NAMES.get(tool, tool), *([f"{flag}={value}"] if value.startswith("-") else [flag, value])]


@pytest.mark.parametrize("name", HOSTILE)
def test_every_tools_command_takes_a_hostile_name_as_it_is(name: str, shell: Path) -> None:
    calls = [(tool.name, argument) for tool in all_tools().values() for argument in list(tool.args.model_fields)[:3]]
    calls = [(tool, argument) for tool, argument in calls if (tool, argument) != ("get_job", "job_id")]
    hints = [error_text(UserError("x", "No.", f"Call {call_text(tool, {argument: name})}")) for tool, argument in calls]

    commands = "\n".join(as_shell_text(hint).partition("Call ")[2] for hint in hints)

    assert commands.isprintable() or set(re.sub(r"[^\n]", "", commands)) == {"\n"}
    assert len(commands.splitlines()) == len(calls)  # no name makes a line of its own
    assert paste(commands, shell) == [expected(tool, argument, name) for tool, argument in calls]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("values", ["text", "list"])
def test_an_argument_outside_a_call_holds_a_hostile_name_as_it_is(name: str, values: str, shell: Path) -> None:
    value = name if values == "text" else [name, "second"]

    flags = as_shell_text(argument_text("tokenizer" if values == "text" else "after", value))

    assert flags.lstrip("$'").startswith("--")
    [words] = paste(f"./run.sh {flags}", shell)
    arrived = [word.removeprefix("--tokenizer=").removeprefix("--after=") for word in words]
    assert [word for word in arrived if word not in ("--tokenizer", "--after")] == (
        [name] if values == "text" else [name, "second"]
    )


@pytest.mark.parametrize(
    "text",
    [
        'Give tokenizer="$(touch PWNED)',
        'after=["$(touch PWNED)", x]',
        "texts=[$(touch PWNED)]",
        'tokenizer="a\nb"',
        "Call align manifest='$(touch PWNED)'",
    ],
)
def test_what_cannot_be_read_as_a_call_stays_as_text(text: str) -> None:
    assert as_shell_text(text) == text


def test_a_call_of_a_job_with_a_number_for_its_id_is_a_command() -> None:
    assert as_shell_text("Call get_job job_id=5 wait_s=50.") == "Call ./run.sh job 5 --wait."


@pytest.mark.parametrize("name", ['b"; touch PWNED; "', "$(touch PWNED)", "`touch PWNED`", "a\nb\\'"])
def test_the_hint_of_an_unready_dataset_can_be_pasted(
    name: str, shell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "train_manifest.jsonl").write_text("{}\n")
    monkeypatch.setenv("TTS_TRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    main(["convert_codes", "--manifest", str(folder)])

    hint = capsys.readouterr().err.splitlines()[-1]
    command = hint.removeprefix("Call ").removesuffix(" first.")
    assert command.startswith("./run.sh align --manifest ")
    assert paste(command, shell) == [["align", "--manifest", str(folder / "train_manifest.jsonl")]]


@pytest.mark.parametrize("tool", sorted(name for name, tool in all_tools().items() if isinstance(tool.hints.next, str)))
@pytest.mark.parametrize("name", HOSTILE)
def test_a_next_step_holds_values_of_the_result_as_json(tool: str, name: str, tmp_path: Path) -> None:
    known = all_tools()[tool]
    fields = re.findall(r"\{(\w+)\}", str(known.hints.next))
    result = dict.fromkeys(known.kind.result.model_fields, name) if known.kind is not None else {}
    record = JobRecord.model_validate(
        {"job_id": "x-20261122-131144-7f3a", "kind": tool, "state": "succeeded", "result": result}
    )

    text = known.next_step(record, Runner(Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path / "home")})))

    for field in fields:
        assert f" {argument_text(field, name)}" in text
    assert name not in text.replace(argument_text("manifest", name), "") or not fields


def test_no_call_is_quoted_by_hand() -> None:
    names = {name for tool in all_tools().values() for name in tool.args.model_fields}
    by_hand = re.compile(rf"(?<![\w<])({'|'.join(sorted(names))})=[\"']?$")
    template = re.compile(rf"(?<![\w<])({'|'.join(sorted(names))})=[\"']\{{")
    found = []
    for room in ("jobs", "tools", "server"):
        for file in sorted((PROJECT_ROOT / room).rglob("*.py")):
            if file.name == "metrics.py":  # labels of Prometheus
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and template.search(node.value):
                    found.append(f"{file.relative_to(PROJECT_ROOT)}:{node.lineno}")
                parts = node.values if isinstance(node, ast.JoinedStr) else []
                for part, value in pairwise(parts):
                    if (
                        isinstance(part, ast.Constant)
                        and isinstance(value, ast.FormattedValue)
                        and value.format_spec is None
                        and (match := by_hand.search(str(part.value)))
                        and (match[0][-1] in "\"'" or re.search(r"[Cc]all |[Rr]un |with \w+ ", part.value))
                    ):
                        found.append(f"{file.relative_to(PROJECT_ROOT)}:{node.lineno} {match[0]}")

    assert found == []
