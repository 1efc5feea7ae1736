"""An output that is an input is refused, by whatever name it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.param_types import ModelRef, OutputPath, Strict, TakesPath
from tools.inputs.overwriting import refuse_overwriting


class Args(Strict):
    """Arguments of an input and an output."""

    takes: TakesPath
    measures: OutputPath = ""


@pytest.mark.parametrize("measures", ["takes/takes.jsonl", "hard.jsonl", "linked.jsonl", "takes/../takes/takes.jsonl"])
@pytest.mark.parametrize("takes", ["takes", "takes/takes.jsonl", "hard.jsonl"])
def test_an_input_by_another_name_is_no_output(tmp_path: Path, takes: str, measures: str) -> None:
    (tmp_path / "takes").mkdir()
    (tmp_path / "takes" / "takes.jsonl").touch()
    (tmp_path / "hard.jsonl").hardlink_to(tmp_path / "takes" / "takes.jsonl")
    (tmp_path / "linked.jsonl").symlink_to(tmp_path / "takes" / "takes.jsonl")

    with pytest.raises(UserError, match="takes") as refused:
        refuse_overwriting(Args(takes=str(tmp_path / takes), measures=str(tmp_path / measures)))

    assert refused.value.code == "output_is_input"


class Publication(Strict):
    """Arguments of a model and an output folder."""

    model: ModelRef
    out_dir: OutputPath = ""


@pytest.mark.parametrize("out_dir", ["voice", "voice/speech_tokenizer", "linked", "voice/../voice"])
def test_a_model_and_its_codec_are_no_output(tmp_path: Path, out_dir: str) -> None:
    (tmp_path / "voice" / "speech_tokenizer").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "voice")

    with pytest.raises(UserError, match="model") as refused:
        refuse_overwriting(Publication(model=str(tmp_path / "voice"), out_dir=str(tmp_path / out_dir)))

    assert refused.value.code == "output_is_input"
    refuse_overwriting(Publication(model=str(tmp_path / "voice"), out_dir=str(tmp_path / "voice" / "takes")))
    refuse_overwriting(Publication(model="voice", out_dir="voice"))


def test_a_file_beside_the_input_is_an_output(tmp_path: Path) -> None:
    (tmp_path / "takes.jsonl").touch()
    (tmp_path / "measures.jsonl").touch()

    refuse_overwriting(Args(takes=str(tmp_path), measures=str(tmp_path / "measures.jsonl")))
    refuse_overwriting(Args(takes=str(tmp_path / "missing"), measures=str(tmp_path / "other")))
    refuse_overwriting(Args(takes=str(tmp_path)))
