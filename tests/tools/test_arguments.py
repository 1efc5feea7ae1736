"""What a caller hears about faulty arguments."""

from __future__ import annotations

import pytest

from jobs.errors import UserError
from tools._arguments import nearest, parse_arguments
from tools.rate_samples import RateSamplesArgs
from tools.start_training import StartTrainingArgs
from tools.synthesize import SynthesizeArgs

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
    assert "- manifest is missing (train_manifest_qwen3.jsonl of convert_codes)" in told
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
