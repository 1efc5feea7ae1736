"""The words of the command line: every tool by its name, shorter words for jobs, and the original skill's commands.

A command only says which tool it means and how its words become that tool's arguments; it does no work of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.errors import UserError
from tools.core.registry import all_tools
from tools.inputs.arguments import nearest

# Commands that are not tools; server.cli.dispatch leads to their bodies.
OTHER_COMMANDS = {
    "logs": "Show a job's log: logs JOB_ID [-f to follow it].",
    "plot": "Draw the curves of what a job measured: plot JOB_ID [--out FILE.png].",
    "gc": "Free the disk of old finished jobs: gc [--older-than 30d] [--max-size 50G] [--yes].",
    "listen": "Rate takes and choose blindly between two voices in a browser: listen TAKES [--against TAKES].",
    "mcp": "The MCP server on stdio, for an agent's configuration; mcp --http [--port N] on a port.",
    "tools": "List the tools.",
    "install-skill": "Put skill and MCP entry where an agent looks: install-skill [--claude] [--codex] [--path P].",
    "uninstall-skill": "Take exactly that out again.",
    "docs": "Write the tables of tools in the pages anew.",
    "optuna-dashboard": "The trials of a search in a browser: optuna-dashboard [STUDY] [--port N].",
    "tensorboard": "Loss curves of every training in a browser: tensorboard [PORT] [--logdir DIR].",
}
# Commands of run.sh itself, known here only to name the nearest of all.
SHELL_COMMANDS = {
    "setup": "make the locked environments",
    "demo": "the whole job on the sample",
    "doctor": "what is installed, what is missing",
    "test": "run the tests",
    "check": "lint, types and tests",
}


@dataclass(frozen=True)
class Command:
    """One word of the command line that leads to a tool.

    Attributes:
        name: the word.
        tool: the tool that it means.
        positionals: arguments that may be given by place, in this order.
        flags: other names of arguments: flag to field.
        switches: flags that stand for a value: flag to (field, value).
        lowered: fields in which the original skill allowed capitals.
        words: flags that are no argument of the tool: flag to what it is.
        meaning: what those flags, as given, mean for the tool's arguments.
        is_original: a command of the original skill: it waits for the job's end as it always did.
        about: one line for the overview; empty: the tool's own.
    """

    name: str
    tool: str
    positionals: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lowered: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    meaning: Callable[[Mapping[str, str]], dict[str, Any]] | None = None
    is_original: bool = False
    about: str = ""


def _original_tuning(words: Mapping[str, str]) -> dict[str, Any]:
    """Where the original skill's tuning reads and writes, by the name of a dataset and the size of the model."""
    size = words.get("--model-size", "1.7b").lower()
    if size not in ("0.6b", "1.7b"):
        raise UserError("bad_usage", f"--model-size is 0.6b or 1.7b, not {size!r}.")
    means: dict[str, Any] = {
        "base_model": f"Qwen/Qwen3-TTS-12Hz-{size.upper()}-Base",
        "space": "1.7b",
        "best_config": f"artifacts/tts/qwen3_{size}_bayesian/best_config.json",
    }
    if "--dataset" in words:
        name = words["--dataset"]
        means["manifest"] = f"datasets/{name}/train_manifest_qwen3.jsonl"
        means["out_dir"] = f"runs/{name}/bayesian_tuning_{size}"
    return means


SHORT = (
    Command("jobs", "list_jobs", about="The newest jobs."),
    Command("job", "get_job", ("job_id",), about="Look at a job: job JOB_ID [--wait]."),
    Command("cancel", "cancel_job", ("job_id",), about="Stop a job; what it finished is kept."),
)
ORIGINAL = (
    Command(
        "ingest",
        "ingest_audiobook",
        ("audio", "voice", "out_dir"),
        switches={"--no-transcript": ("transcript", "none")},
        lowered=("voice",),
        is_original=True,
        about="ingest AUDIO VOICE OUT [--text F] [--segments-jsonl F] [--no-transcript]",
    ),
    Command(
        "ingest-transcript",
        "ingest_clips",
        ("audio_dir", "transcripts", "out_dir"),
        lowered=("voice",),
        is_original=True,
        about="ingest-transcript DIR JSONL OUT",
    ),
    Command(
        "convert-qwen3",
        "convert_codes",
        ("manifest", "out"),
        is_original=True,
        about="convert-qwen3 IN OUT [--tokenizer T]",
    ),
    Command(
        "train-qwen3",
        "start_training",
        flags={"--data-manifest": "manifest"},
        switches={"--use-lora": ("method", "lora"), "--use-8bit-adam": ("optimizer", "adamw_8bit")},
        lowered=("speaker",),
        is_original=True,
        about="train-qwen3 --base-model M --data-manifest F --out-dir D [--epochs N --lr X --use-lora …]",
    ),
    Command(
        "tune-1.7b-bayesian",
        "tune_hparams",
        flags={"--n-smoke-steps": "trial_steps", "--data-manifest": "manifest"},
        words={"--dataset": "name of a folder under datasets/", "--model-size": "0.6b or 1.7b (default: 1.7b)"},
        meaning=_original_tuning,
        is_original=True,
        about="tune-1.7b-bayesian --dataset NAME [--n_trials N --n_smoke_steps N --model_size 1.7b --use_web_research]",
    ),
    Command(
        "iterative-train",
        "refine_voice",
        flags={
            "--model-path": "base_model",
            "--data": "manifest",
            "--output": "out_dir",
            "--eval-phrases": "texts",
        },
        switches={"--auto-evaluate": ("rating", "automatic")},
        meaning=lambda _: {"rating": "person"},
        is_original=True,
        about="iterative-train --model-path M --data F --output D [--run-hyperparameter-search --auto-evaluate …]",
    ),
    Command(
        "infer",
        "synthesize",
        flags={"--text": "texts", "--out": "out_dir"},
        lowered=("speaker",),
        is_original=True,
        about="infer --model M --text WORDS [--text WORDS …] [--speaker NAME] [--out-dir D] [--language L]",
    ),
)
# A tool's name and a command of the original skill at once: `align MANIFEST OUT ROOT`.
ALIGN = Command("align", "align", ("manifest", "out", "root"))


def command_named(word: str, arguments: list[str]) -> Command:
    """The command that a word means; ``arguments`` tell the original ``align`` from the tool's.

    Raises:
        UserError: ``command_unknown`` with the nearest right one, or ``xtts_unsupported``.
    """
    plain = word.lower().replace("_", "-")
    if "xtts" in plain:
        raise UserError("xtts_unsupported", "XTTS is not supported: train Qwen3-TTS instead, with train-qwen3.")
    if plain == "align":
        is_original = bool(arguments) and not arguments[0].startswith("-")
        return Command("align", "align", ALIGN.positionals, is_original=is_original)
    for command in (*SHORT, *ORIGINAL):
        if command.name == plain:
            return command
    tool = all_tools().get(plain.replace("-", "_"))
    if tool is not None:
        return Command(plain, tool.name)
    raise _unknown(word)


def _unknown(word: str) -> UserError:
    known = {command.name: command.about for command in (*SHORT, *ORIGINAL)}
    known |= (
        {name.replace("_", "-"): tool.summary for name, tool in all_tools().items()} | OTHER_COMMANDS | SHELL_COMMANDS
    )
    near = nearest(word.replace("_", "-"), known)
    return UserError(
        "command_unknown",
        f"There is no command {word!r}." + (f" Did you mean {near!r}?" if near else ""),
        "./run.sh tools lists the tools, ./run.sh --help everything.",
    )
