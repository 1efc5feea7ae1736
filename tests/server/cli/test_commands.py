"""Tool and arguments of a command line; nothing is run."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from jobs.errors import UserError
from server.cli.commands import command_named
from server.cli.flags import read_flags
from server.cli.hints import flag_name
from tools.core.registry import all_tools
from tools.inputs.arguments import parse_arguments


def read(line: str) -> tuple[str, dict[str, Any], list[str]]:
    """Tool, arguments that were given, and notes of a command line."""
    word, *rest = shlex.split(line)
    command = command_named(word, rest)
    tool = all_tools()[command.tool]
    arguments, notes, _ = read_flags(command, tool, rest)
    args = parse_arguments(tool.args, arguments, tool=command.name, spell=flag_name)
    return tool.name, args.model_dump(exclude_unset=True), notes


@pytest.mark.parametrize(
    ("line", "tool", "arguments"),
    [
        (
            "ingest book.m4b horus datasets/horus --text book.txt",
            "ingest_audiobook",
            {"audio": "book.m4b", "voice": "horus", "out_dir": "datasets/horus", "text": "book.txt"},
        ),
        (
            "ingest book.m4b horus out --no-transcript",
            "ingest_audiobook",
            {"audio": "book.m4b", "voice": "horus", "out_dir": "out", "transcript": "none"},
        ),
        (
            "ingest book.m4b horus out --segments-jsonl existing_segments.jsonl",
            "ingest_audiobook",
            {"audio": "book.m4b", "voice": "horus", "out_dir": "out", "segments_jsonl": "existing_segments.jsonl"},
        ),
        (
            "ingest-transcript data/horus/audio_raw data/horus/transcripts.jsonl datasets/horus",
            "ingest_clips",
            {
                "audio_dir": "data/horus/audio_raw",
                "transcripts": "data/horus/transcripts.jsonl",
                "out_dir": "datasets/horus",
            },
        ),
        (
            "align d/train_manifest.jsonl d/train_aligned.jsonl d",
            "align",
            {"manifest": "d/train_manifest.jsonl", "out": "d/train_aligned.jsonl", "root": "d"},
        ),
        (
            "convert-qwen3 d/train_manifest.jsonl d/train_manifest_qwen3.jsonl --tokenizer toy",
            "convert_codes",
            {"manifest": "d/train_manifest.jsonl", "out": "d/train_manifest_qwen3.jsonl", "tokenizer": "toy"},
        ),
        (
            "train-qwen3 --base-model Qwen/Qwen3-TTS-12Hz-1.7B-Base --data-manifest d/m.jsonl --out-dir a/v "
            "--epochs 10 --batch-size 1 --lr 2e-6 --gradient-accumulation-steps 8 --use-lora --lora-r 16 "
            "--lora-alpha 32 --use-8bit-adam --gradient-checkpointing",
            "start_training",
            {
                "base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base",
                "manifest": "d/m.jsonl",
                "out_dir": "a/v",
                "epochs": 10,
                "batch_size": 1,
                "lr": 2e-6,
                "gradient_accumulation_steps": 8,
                "method": "lora",
                "lora_r": 16,
                "lora_alpha": 32,
                "optimizer": "adamw_8bit",
                "gradient_checkpointing": True,
            },
        ),
        (
            "train-qwen3 --base-model toy --data-manifest m --out-dir o --speaker horus --max-steps 300 "
            "--weight-decay 0.01 --warmup-steps 50 --seed 7 --resume",
            "start_training",
            {
                "base_model": "toy",
                "manifest": "m",
                "out_dir": "o",
                "speaker": "horus",
                "max_steps": 300,
                "weight_decay": 0.01,
                "warmup_steps": 50,
                "seed": 7,
                "resume": True,
            },
        ),
        (
            "infer --model a/v --text 'First line.' --text 'Second line.' --speaker horus --out o --language english",
            "synthesize",
            {
                "model": "a/v",
                "texts": ["First line.", "Second line."],
                "speaker": "horus",
                "out_dir": "o",
                "language": "english",
            },
        ),
        (
            "rate-samples --takes t --scores audio=a.wav,score=4,note='good, but slow' audio=b.wav,score=2",
            "rate_samples",
            {
                "takes": "t",
                "scores": [{"audio": "a.wav", "score": 4, "note": "good, but slow"}, {"audio": "b.wav", "score": 2}],
            },
        ),
        ("jobs --state running", "list_jobs", {"state": "running"}),
        ("job j-1 --log-lines 50", "get_job", {"job_id": "j-1", "log_lines": 50}),
        ("cancel j-1", "cancel_job", {"job_id": "j-1"}),
        (
            "get_artifact --handle artifact://j/n --no-inline",
            "get_artifact",
            {"handle": "artifact://j/n", "inline": False},
        ),
        ("START_TRAINING --manifest m --max_steps=5", "start_training", {"manifest": "m", "max_steps": 5}),
    ],
)
def test_a_line_means_a_tool_with_arguments(line: str, tool: str, arguments: dict[str, Any]) -> None:
    assert read(line)[:2] == (tool, arguments)


def test_capitals_in_a_voice_are_lowered_with_a_note() -> None:
    tool, arguments, notes = read("ingest book.m4b Horus out")

    assert (tool, arguments["voice"]) == ("ingest_audiobook", "horus")
    assert notes == ["note: voice 'Horus' is converted to lower case: 'horus'."]


@pytest.mark.parametrize(
    ("word", "code", "names"),
    [
        ("train-xtts", "xtts_unsupported", "Qwen3-TTS"),
        ("convert-code", "command_unknown", "convert_codes"),
        ("train", "command_unknown", "train-qwen3"),
    ],
)
def test_words_that_lead_nowhere_say_where_to_go(word: str, code: str, names: str) -> None:
    with pytest.raises(UserError) as refusal:
        command_named(word, [])

    assert refusal.value.code == code
    assert names in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("align m --aligner whisperxx", "--aligner must be 'auto', 'whisperx' or 'pocketsphinx', not 'whisperxx'"),
        ("train-qwen3 --data-manifest m --learning_rate 1e-4", "'--learning-rate'; did you mean '--lr'?"),
        ("synthesize --model m", "--texts is missing"),
        ("synthesize --model m --texts a --jsno", "Unknown flag '--jsno'; did you mean '--json'?"),
        ("ingest a b c d", "unexpected argument 'd'"),
        ("train-qwen3 --data-manifest", "expected one argument"),
        ("rate-samples --takes t --scores a.wav", "is not of the form name=value"),
        ("rate-samples --takes t --scores audio=a.wav,scoer=4", "'--scores.0.scoer'; did you mean 'scores.0.score'?"),
        ("rate-samples --takes t --scores audio=a.wav,score=6", "--scores.0.score must be less than or equal to 5"),
    ],
)  # fmt: skip
def test_a_faulty_line_is_refused_in_its_own_words(line: str, message: str) -> None:
    with pytest.raises(UserError) as refusal:
        read(line)

    assert message in str(refusal.value)


def test_objects_may_be_given_as_json() -> None:
    _, arguments, _ = read("""rate-samples --takes t --scores '[{"audio": "a.wav", "score": 5}]'""")

    assert arguments["scores"] == [{"audio": "a.wav", "score": 5}]


def test_the_original_tuning_finds_its_dataset_and_writes_where_it_always_did() -> None:
    tool, arguments, _ = read(
        "tune-1.7b-bayesian --n_trials 15 --n_smoke_steps 300 --model_size 1.7b --use_web_research --dataset horus"
    )

    assert tool == "tune_hparams"
    assert arguments == {
        "manifest": "datasets/horus/train_manifest_qwen3.jsonl",
        "base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base",
        "out_dir": "runs/horus/bayesian_tuning_1.7b",
        "best_config": "artifacts/tts/qwen3_1.7b_bayesian/best_config.json",
        "space": "1.7b",
        "n_trials": 15,
        "trial_steps": 300,
        "use_web_research": True,
    }


def test_settings_may_be_given_as_pairs_or_json() -> None:
    _, arguments, _ = read(
        """tune-hparams --manifest m --training method=lora batch_size=2,compile=true --first lr=1e-5 '{"lr": 2e-5}'
        --ranges name=lr,low=1e-6,high=1e-4,log=true"""
    )

    assert arguments["training"] == {"method": "lora", "batch_size": 2, "compile": True}
    assert arguments["first"] == [{"lr": 1e-5}, {"lr": 2e-5}]
    assert arguments["ranges"] == [{"name": "lr", "low": 1e-6, "high": 1e-4, "log": True}]


@pytest.mark.parametrize(("more", "rating"), [("", "person"), (" --auto-evaluate", "automatic")])
def test_the_original_loop_takes_its_documented_options(more: str, rating: str) -> None:
    tool, arguments, _ = read(
        "iterative_train --model-path voice --data m.jsonl --output out --run-hyperparameter-search --hp-trials 10 "
        "--max-iterations 5 --quality-threshold 3.5 --epochs-per-iteration 2 --hyperparams best_config.json "
        f'--eval-phrases "I am the Warmaster" "The Emperor betrayed us"{more}'
    )

    assert tool == "refine_voice"
    assert arguments == {
        "base_model": "voice", "manifest": "m.jsonl", "out_dir": "out", "run_hyperparameter_search": True,
        "hp_trials": 10, "max_iterations": 5, "quality_threshold": 3.5, "epochs_per_iteration": 2,
        "hyperparams": "best_config.json", "texts": ["I am the Warmaster", "The Emperor betrayed us"], "rating": rating,
    }  # fmt: skip
