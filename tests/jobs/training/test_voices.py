"""Exports of a run: one voice or several, a base, and evaluation samples."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.errors import UserError
from jobs.qwen.export import write_voice
from jobs.qwen.loading import load_base
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.qwen.upstream import qwen_tts
from jobs.training import work
from jobs.training.params import Params, Result

MakeParams = Callable[..., Params]
MakeContext = Callable[[], Any]

# Nothing of ours is imported: what a stranger does with an export.
UPSTREAM = """
import gc, json, sys
gc.disable()  # the import takes half as long again with it
import torch
from qwen_tts import Qwen3TTSModel
torch.set_num_threads(1)
model = Qwen3TTSModel.from_pretrained(sys.argv[1], dtype=torch.float32)
options = dict(do_sample=False, subtalker_dosample=False, max_new_tokens=12)
found = {"speakers": sorted(model.get_supported_speakers() or []), "type": model.model.tts_model_type, "samples": {}}
for speaker in json.loads(sys.argv[2]):
    wavs, rate = model.generate_custom_voice("hello there", speaker=speaker, language="english", **options)
    found["samples"][speaker] = [len(wavs[0]), float(abs(wavs[0]).sum())]
if found["type"] == "base":
    wavs, rate = model.generate_voice_clone(
        text="hello there", language="english", ref_audio=sys.argv[3], x_vector_only_mode=True, **options)
    found["samples"]["clone"] = [len(wavs[0]), float(abs(wavs[0]).sum())]
found["ours"] = sorted(name for name in sys.modules if name.split(".")[0] in ("jobs", "tools", "server"))
print("FOUND" + json.dumps(found))
"""


def speak_with_upstream(folder: str, speakers: list[str], reference: Path) -> dict[str, Any]:
    """Load an export in a process that has upstream qwen_tts alone, and let it speak."""
    done = subprocess.run(
        [sys.executable, "-c", UPSTREAM, folder, json.dumps(speakers), str(reference)],
        env={**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.split("FOUND")[1])
    return answer


@pytest.fixture
def two_speakers(
    coded_rows: list[dict[str, Any]], write_manifest: Callable[[list[dict[str, Any]]], Path], make_params: MakeParams
) -> Callable[..., Params]:
    """A manifest in which two narrators take turns."""

    def make(**changes: Any) -> Params:
        rows = copy.deepcopy(coded_rows)
        for number, row in enumerate(rows):
            row["speaker"] = ("Ann", "Bert")[number % 2]
        params = make_params(**changes)
        write_manifest(rows)
        return params

    return make


def test_several_speakers_become_voices_of_one_export_that_upstream_speaks_with(
    two_speakers: Callable[..., Params], make_context: MakeContext, tmp_path: Path
) -> None:
    result = work.run(two_speakers(lr=1e-2), make_context())

    config = json.loads((Path(result.voice) / "config.json").read_text())["talker_config"]
    found = speak_with_upstream(result.voice, ["ann", "bert"], tmp_path / "reference.wav")
    assert result.speakers == ["ann", "bert"]
    assert len(set(config["spk_id"].values())) == 2
    assert found["speakers"] == ["ann", "bert"]
    assert found["ours"] == []
    assert min(found["samples"].values())[0] > 0
    card = json.loads((Path(result.voice) / "tts_train.json").read_text())
    assert card["speakers"] == ["ann", "bert"]
    assert "The owner of this voice" in card["rights"]
    assert card["made_with"]["lock_sha256"]


def test_two_narrators_of_the_same_text_keep_their_own_ways_of_saying_it(
    coded_rows: list[dict[str, Any]],
    write_manifest: Callable[[list[dict[str, Any]]], Path],
    make_params: MakeParams,
    make_context: MakeContext,
    tmp_path: Path,
) -> None:
    # a random speaker encoder hears hardly a difference between tones: the two have slots of their own from the start
    toy = make_toy_base(tmp_path / "toy", shape="1.7b", codebook_size=64)
    rng = torch.Generator().manual_seed(0)
    voices = {name: torch.randn(64, generator=rng) * 0.1 for name in ("ann", "bert")}
    model = load_base(toy, "cpu", torch.float32).model
    base = write_voice(model, toy, tmp_path / "base", voices=voices, card={})
    params = make_params(
        epochs=1000, max_steps=150, batch_size=4, lr=1e-2, weight_decay=0.0, code_predictor_weight=1.0,
        warmup_steps=10, export="last", base_model=str(base),
    )  # fmt: skip
    rows = copy.deepcopy(coded_rows[:4])
    for row, speaker in zip(rows, ("ann", "bert", "ann", "bert"), strict=True):
        row |= {"speaker": speaker, "language": "english"}
    rows[1]["text"], rows[3]["text"] = rows[0]["text"], rows[2]["text"]
    write_manifest(rows)

    result = work.run(params, make_context())

    upstream = qwen_tts().Qwen3TTSModel.from_pretrained(result.voice, dtype=torch.float32)
    for row in rows:
        wavs, _ = upstream.generate_custom_voice(
            row["text"], speaker=row["speaker"], language="english", do_sample=False, subtalker_dosample=False,
            max_new_tokens=40,
        )  # fmt: skip
        expected, _ = upstream.model.speech_tokenizer.decode([{"audio_codes": torch.tensor(row["audio_codes"])}])
        assert len(wavs[0]) == len(expected[0])
        assert abs(wavs[0] - expected[0]).max() < 1e-6


def test_another_speaker_joins_and_the_first_stays_usable(
    make_params: MakeParams,
    make_context: MakeContext,
    coded_rows: list[dict[str, Any]],
    write_manifest: Callable[[list[dict[str, Any]]], Path],
    tmp_path: Path,
) -> None:
    write_manifest([{**row, "language": "english"} for row in coded_rows])
    first = work.run(make_params(), make_context())
    write_manifest([{**row, "language": "german"} for row in coded_rows])

    second = work.run(
        make_params(base_model=first.voice, speaker="awb", out_dir=str(tmp_path / "second")), make_context()
    )

    slots = json.loads((Path(second.voice) / "config.json").read_text())["talker_config"]["spk_id"]
    assert sorted(slots) == ["awb", "slt"]
    table = "talker.model.codec_embedding.weight"
    before, after = (load_file(Path(r.voice) / "model.safetensors")[table] for r in (first, second))
    assert torch.equal(before[slots["slt"]], after[slots["slt"]])
    languages = {"slt": "english", "awb": "german"}
    assert json.loads((Path(second.voice) / "tts_train.json").read_text())["speaker_languages"] == languages


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_base_is_exported_that_upstream_clones_with_and_training_takes(
    method: str, make_params: MakeParams, make_context: MakeContext, tiny_base: Path, tmp_path: Path
) -> None:
    params = make_params(method=method, export_base=True, rights="My own voice.", lr=1e-2)
    context = make_context()
    result = work.run(params, context)
    assert result.base is not None

    found = speak_with_upstream(result.base, [], tmp_path / "reference.wav")
    again = work.run(make_params(base_model=result.base, out_dir=str(tmp_path / "again")), make_context())

    before, after = load_file(tiny_base / "model.safetensors"), load_file(Path(result.base) / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(before[name].dtype == tensor.dtype for name, tensor in after.items())
    assert any(not torch.equal(before[name], tensor) for name, tensor in after.items())
    assert found["type"] == "base"
    assert found["samples"]["clone"][0] > 0
    assert again.first_loss < result.first_loss
    assert context.published["base"] == (tmp_path / "out" / "base", "voice")
    for folder in ("voice", "base", *(["adapter"] if method == "lora" else [])):
        assert json.loads((tmp_path / "out" / folder / "tts_train.json").read_text())["rights"] == "My own voice."


def page_of(result: Result) -> str:
    return Path(result.report).read_text()


def test_base_voice_and_narrator_speak_the_held_out_sentence_for_the_report(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path, coded_rows: list[dict[str, Any]]
) -> None:
    first = work.run(make_params(epochs=60, batch_size=4, lr=5e-3, samples=1), make_context())
    samples = tmp_path / "out" / "samples"
    made_at = {path.name: path.stat().st_mtime_ns for path in samples.iterdir()}

    (samples / "voice-1.wav").unlink()
    again = work.run(make_params(epochs=60, batch_size=4, lr=5e-3, samples=1), make_context())
    kept = {path.name: path.stat().st_mtime_ns for path in samples.iterdir()}

    assert sorted(made_at) == [
        "narrator-1.wav",
        "samples.jsonl",
        "voice-1.wav",
    ]  # a random base has no speech to start from
    assert again == first
    assert kept["narrator-1.wav"] == made_at["narrator-1.wav"]
    assert kept["voice-1.wav"] > made_at["voice-1.wav"]
    assert coded_rows[4]["text"] in page_of(first)
    assert "held out" in page_of(first)
    assert 'src="samples/voice-1.wav"' in page_of(first)


def test_the_report_compares_with_the_clone_where_the_base_can_speak(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    base = make_toy_base(tmp_path / "fresh", shape="1.7b", codebook_size=64)
    taught = work.run(
        make_params(base_model=str(base), epochs=60, batch_size=4, lr=5e-3, export_base=True, export="last"),
        make_context(),
    )

    tuned = {"base_model": taught.base, "out_dir": str(tmp_path / "tuned"), "keep_exports": 4}
    result = work.run(make_params(**tuned, samples=1), make_context())

    assert result.base_check == "aligned"
    assert sorted(path.name for path in (tmp_path / "tuned" / "samples").iterdir()) == [
        "narrator-1.wav", "samples.jsonl", "step-4-1.wav", "voice-1.wav", "zero-shot-1.wav",
    ]  # fmt: skip
    assert "Voice of step 4" in page_of(result)
    assert 'src="samples/zero-shot-1.wav"' in page_of(result)


def test_a_base_that_a_finished_run_did_not_make_is_not_promised(
    make_params: MakeParams, make_context: MakeContext
) -> None:
    work.run(make_params(max_steps=1), make_context())

    with pytest.raises(UserError) as refused:
        work.run(make_params(max_steps=1, export_base=True), make_context())

    assert refused.value.code == "out_dir_taken"
