"""Calls and arguments in the words of the shell; no answer at the shell speaks of agents, or to agents of the shell."""

from __future__ import annotations

import shlex

import pytest

from server.cli.commands import command_named
from server.cli.flags import read_flags
from server.cli.hints import as_shell_text
from tools.core.call_text import call_text
from tools.core.registry import all_tools
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
