"""What a caller hears about faulty arguments."""

from __future__ import annotations

import pytest

from jobs.errors import UserError
from tools.core.registry import all_tools
from tools.inputs.arguments import PATTERNS, nearest, parse_arguments
from tools.rate_samples import RateSamplesArgs

StartTrainingArgs, SynthesizeArgs = (all_tools()[name].args for name in ("start_training", "synthesize"))

TRAINING = {name: field.description or "" for name, field in StartTrainingArgs.model_fields.items()}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("learning_rate", "lr"),
        ("learning-rate", "lr"),
        ("batchsize", "batch_size"),
        ("epoch", "epochs"),
        ("lora_rank", "lora_r"),
        ("grad_accum_steps", "gradient_accumulation_steps"),
        ("model", "base_model"),
        ("maxSteps", "max_steps"),
        ("output_dir", "out_dir"),
    ],
)
def test_the_nearest_argument_is_found_by_spelling_or_by_what_it_is(given: str, meant: str) -> None:
    assert nearest(given, TRAINING) == meant


def test_nothing_is_near_to_nonsense() -> None:
    assert nearest("xyzzy", TRAINING) is None


def test_all_faults_come_at_once_and_without_addresses() -> None:
    with pytest.raises(UserError) as refusal:
        parse_arguments(StartTrainingArgs, {"epochs": 0, "method": "qlora", "learning_rate": 1}, tool="start_training")

    told = str(refusal.value)
    assert "4 faults" in told
    assert "- manifest is missing (Dataset: name, folder, or train_manifest_qwen3.jsonl)" in told
    assert "- epochs must be greater than or equal to 1, not 0" in told
    assert "- method must be 'full' or 'lora', not 'qlora'" in told
    assert "- unknown argument 'learning_rate'; did you mean 'lr'?" in told
    assert "http" not in told
    assert "Required: manifest." in told


def test_a_fault_within_a_list_is_named_by_its_place() -> None:
    scores = [{"audio": "a.wav", "score": 3}, {"audio": "b.wav", "score": 9, "comment": "x"}]

    with pytest.raises(UserError) as refusal:
        parse_arguments(RateSamplesArgs, {"takes": "t", "scores": scores}, tool="rate_samples")

    assert "scores.1.score must be less than or equal to 5, not 9" in refusal.value.message
    assert "unknown argument 'scores.1.comment'" in refusal.value.message


def test_lists_may_come_as_json_text_but_words_stay_words() -> None:
    listed = parse_arguments(SynthesizeArgs, {"model": "toy", "texts": '["One.", "Two."]'}, tool="synthesize")
    spoken = parse_arguments(SynthesizeArgs, {"model": "toy", "texts": ["[laughs] One."]}, tool="synthesize")

    assert listed.texts == ["One.", "Two."]
    assert spoken.texts == ["[laughs] One."]


def test_a_long_value_is_shown_in_part() -> None:
    with pytest.raises(UserError) as refusal:
        parse_arguments(SynthesizeArgs, {"model": "toy", "texts": "word " * 1000}, tool="synthesize")

    assert len(refusal.value.message) < 300


def test_what_few_calls_need_may_come_in_more_also_as_text() -> None:
    beside = parse_arguments(StartTrainingArgs, {"manifest": "m", "lora_r": 8}, tool="start_training")
    within = parse_arguments(StartTrainingArgs, {"manifest": "m", "more": {"lora_r": 8}}, tool="start_training")
    as_text = parse_arguments(StartTrainingArgs, {"manifest": "m", "more": '{"lora_r": "8"}'}, tool="start_training")

    assert beside == within == as_text
    assert beside.lora_r == 8


def test_faults_within_more_come_with_the_others() -> None:
    given = {"epochs": 0, "lora_r": 4, "more": {"lora_r": 0, "warmup": 3, "method": "lora"}}

    with pytest.raises(UserError) as refusal:
        parse_arguments(StartTrainingArgs, given, tool="start_training")

    told = str(refusal.value)
    assert "lora_r is given twice, also in more" in told
    assert "unknown argument 'warmup'; did you mean 'warmup_steps'?" in told
    assert "epochs must be greater than or equal to 1, not 0 (Default: by hours of audio, 1 to 6)" in told
    assert "All are explained by list_jobs explain=start_training." in told


def test_more_that_is_no_object_is_a_fault() -> None:
    with pytest.raises(UserError, match="more must be an object of arguments by name, not 'fast'"):
        parse_arguments(StartTrainingArgs, {"manifest": "m", "more": "fast"}, tool="start_training")


def test_truth_and_numbers_may_come_as_text() -> None:
    args = parse_arguments(
        StartTrainingArgs, {"manifest": "m", "dry_run": "true", "epochs": "5", "lr": "1e-5"}, tool="start_training"
    )

    assert (args.dry_run, args.epochs, args.lr) == (True, 5, 1e-5)


def test_a_dataset_is_another_word_for_its_manifest_and_a_voice_for_its_model() -> None:
    trained = parse_arguments(StartTrainingArgs, {"dataset": "horus"}, tool="start_training")
    spoken = parse_arguments(SynthesizeArgs, {"voice": "anna", "texts": ["One."]}, tool="synthesize")

    assert (trained.manifest, spoken.model) == ("horus", "anna")


def test_patterns_are_told_in_words() -> None:
    """Every pattern of an argument has words; a person cannot read one."""
    found = set()
    for tool in all_tools().values():
        for name, field in tool.args.model_fields.items():
            found |= {(tool.name, name, part.pattern) for part in field.metadata if getattr(part, "pattern", None)}

    assert {pattern for _, _, pattern in found} <= set(PATTERNS)
    with pytest.raises(UserError, match=r"must be a name of at most 40 lower-case letters.*not 'Slt'") as refused:
        parse_arguments(all_tools()["make_voice"].args, {"audio": "a", "voice": "Slt"}, tool="make_voice")
    assert "pattern" not in refused.value.message
    assert refused.value.hint.startswith("Nothing was started. Required: audio, voice.")


def test_a_tool_that_starts_nothing_does_not_speak_of_it() -> None:
    with pytest.raises(UserError, match="job_id is missing") as refused:
        parse_arguments(all_tools()["get_job"].args, {}, tool="get_job")

    assert refused.value.hint.startswith("Call list_jobs for the known jobs. Required: job_id.")
