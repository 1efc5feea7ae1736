"""Texts to takes, with tiny random models: files, seeds, limits, resuming, refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.dataset.takes import read_takes
from jobs.errors import UserError
from jobs.runner.worker.context import Cancelled
from jobs.synthesize.params import Params, check
from jobs.synthesize.spec import KIND
from jobs.synthesize.work import run
from tests.support.declared_outputs import list_undeclared

TEXTS = ["A thirsty crow found a pitcher.", "There was only a little water."]


def _params(model: Path, **changes: object) -> Params:
    given = {"model": str(model), "texts": TEXTS, "max_seconds": 0.8, **changes}
    return Params.model_validate(given)


@pytest.fixture
def reference(tmp_path: Path, fables: list) -> Path:
    path = tmp_path / "reference.wav"
    write_clip(path, fables[0][1], CLIP_RATE_HZ)
    return path


def test_each_text_becomes_a_wav_and_a_line_with_its_request(voice: Path, make_context) -> None:
    context = make_context()

    result = run(_params(voice, language="english", seed=7), context)

    takes = read_takes(Path(result.takes))
    info = soundfile.info(result.wavs[1])
    assert [Path(wav).name for wav in result.wavs] == ["001.wav", "002.wav"]
    assert list_undeclared(KIND, out_dir=Path(result.takes).parent) == []
    assert (info.samplerate, info.channels, info.subtype) == (24_000, 1, "PCM_16")
    assert [(take.text, take.speaker, take.language, take.seed) for take in takes] == [
        (text, "nora", "english", 7) for text in TEXTS
    ]
    assert takes[1].duration_s == pytest.approx(info.duration)
    assert result.duration_s == pytest.approx(sum(take.duration_s for take in takes))
    assert result.rtf == pytest.approx(result.compute_s / result.duration_s, abs=0.001)
    assert context.metrics[-1]["rtf"] > 0
    assert context.fractions[-1] == 1.0
    assert {name: kind for name, (_, kind) in context.published.items()} == {
        "001.wav": "audio",
        "002.wav": "audio",
        "takes": "manifest",
    }


def test_several_voices_speak_the_same_texts_into_one_list_of_takes(voice: Path, make_context, tmp_path: Path) -> None:
    other = shutil.copytree(voice, tmp_path / "other")
    params = _params(voice, compare_with=[str(other), str(voice)], out_dir=str(tmp_path / "both"))
    check(params)
    stopped, context = make_context(), make_context()
    stopped.cancel_after_progress = 1 + 3
    with pytest.raises(Cancelled):
        run(params, stopped)

    both = run(params, context)
    alone = run(_params(other, out_dir=str(tmp_path / "alone")), make_context())

    takes = read_takes(Path(both.takes))
    assert context.messages[0] == "2 texts, 4 takes, 3 done already"
    assert [(take.audio, take.text, take.model) for take in takes] == [
        ("001.wav", TEXTS[0], str(voice)), ("002.wav", TEXTS[1], str(voice)),
        ("001_voice2.wav", TEXTS[0], str(other)), ("002_voice2.wav", TEXTS[1], str(other)),
    ]  # fmt: skip
    assert [Path(wav).read_bytes() for wav in both.wavs[2:]] == [Path(wav).read_bytes() for wav in alone.wavs]
    assert list_undeclared(KIND, out_dir=tmp_path / "both") == []


def test_a_base_cannot_be_compared_with_without_a_reference_of_its_own(voice: Path, base: Path) -> None:
    with pytest.raises(UserError) as refused:
        check(_params(voice, compare_with=[str(base)]))

    assert refused.value.code == "ref_audio_missing"


def test_a_text_that_does_not_end_is_cut_at_the_limit_and_marked(voice: Path, make_context) -> None:
    result = run(_params(voice, max_seconds=0.8), make_context())

    takes = read_takes(Path(result.takes))
    assert [take.duration_s for take in takes] == [0.8, 0.8]
    assert [take.hit_limit for take in takes] == [True, True]
    assert result.n_hit_limit == 2


def test_without_a_limit_each_take_has_that_of_its_text_at_the_narrators_pace(
    voice: Path, make_context, tmp_path: Path
) -> None:
    slow = shutil.copytree(voice, tmp_path / "slow")
    card = {"languages": ["english"], "s_per_character": {"english": 0.05}}
    (slow / "tts_train.json").write_text(json.dumps(card))
    texts = ["No.", "Two words more."]

    limits = [
        [take.max_seconds for take in read_takes(Path(run(params, make_context()).takes))]
        for params in (_params(folder, texts=texts, max_seconds=None) for folder in (voice, slow))
    ]

    assert limits == [[4.2, 6.6], [3.5, 5.2]]


def test_the_same_seed_repeats_bit_by_bit_whatever_was_said_before(voice: Path, make_context, tmp_path: Path) -> None:
    both = run(_params(voice, out_dir=str(tmp_path / "both"), seed=3), make_context())
    alone = run(_params(voice, out_dir=str(tmp_path / "alone"), seed=3, texts=TEXTS[1:]), make_context())
    other = run(_params(voice, out_dir=str(tmp_path / "other"), seed=4, texts=TEXTS[1:]), make_context())

    assert Path(alone.wavs[0]).read_bytes() == Path(both.wavs[1]).read_bytes()
    assert Path(other.wavs[0]).read_bytes() != Path(both.wavs[1]).read_bytes()


def test_greedy_speech_ignores_the_seed(voice: Path, make_context, tmp_path: Path) -> None:
    first = run(_params(voice, out_dir=str(tmp_path / "1"), greedy=True, seed=1, texts=TEXTS[:1]), make_context())
    second = run(_params(voice, out_dir=str(tmp_path / "2"), greedy=True, seed=2, texts=TEXTS[:1]), make_context())

    assert Path(first.wavs[0]).read_bytes() == Path(second.wavs[0]).read_bytes()


def test_line_breaks_around_a_text_change_nothing(voice: Path, make_context, tmp_path: Path) -> None:
    plain = run(_params(voice, out_dir=str(tmp_path / "1"), texts=["Good day."]), make_context())
    broken = run(_params(voice, out_dir=str(tmp_path / "2"), texts=["\n Good day.\n"]), make_context())

    assert Path(plain.wavs[0]).read_bytes() == Path(broken.wavs[0]).read_bytes()


def test_a_cancelled_attempt_keeps_its_takes_for_the_next(voice: Path, make_context) -> None:
    stopped, second = make_context(), make_context()
    stopped.cancel_after_progress = 2  # the first report, then the first take's
    with pytest.raises(Cancelled):
        run(_params(voice), stopped)
    first = (stopped.folder / "out" / "001.wav").stat().st_mtime_ns

    result = run(_params(voice), second)

    assert second.messages[0] == "2 texts, 1 done already"
    assert Path(result.wavs[0]).stat().st_mtime_ns == first
    assert len(read_takes(Path(result.takes))) == 2


def test_takes_of_another_request_are_made_again(voice: Path, make_context) -> None:
    run(_params(voice, seed=1), make_context())
    context = make_context()

    result = run(_params(voice, seed=2), context)

    assert context.messages[0] == "2 texts, 0 done already"
    assert {take.seed for take in read_takes(Path(result.takes))} == {2}


def test_a_base_model_speaks_with_the_timbre_of_a_reference(base: Path, reference: Path, make_context) -> None:
    result = run(_params(base, ref_audio=str(reference), texts=TEXTS[:1]), make_context())

    samples, _ = soundfile.read(result.wavs[0])
    assert len(samples) == 19_200
    assert np.abs(samples).max() > 0


def test_a_base_model_with_the_references_text_continues_it(
    base: Path, reference: Path, fables: list, make_context, tmp_path: Path
) -> None:
    asked = {"ref_audio": str(reference), "texts": TEXTS[1:]}

    timbre = run(_params(base, **asked, out_dir=str(tmp_path / "1")), make_context())
    continued = run(_params(base, **asked, out_dir=str(tmp_path / "2"), ref_text=fables[0][0]), make_context())

    assert soundfile.info(continued.wavs[0]).frames == 19_200
    assert Path(timbre.wavs[0]).read_bytes() != Path(continued.wavs[0]).read_bytes()


def test_an_instruct_changes_the_speech_of_a_1_7b_and_is_noted_in_the_take(
    large_voice: Path, make_context, tmp_path: Path
) -> None:
    given = {"texts": TEXTS[:1], "greedy": True}
    plain = run(_params(large_voice, **given, out_dir=str(tmp_path / "1")), make_context())
    slow = run(_params(large_voice, **given, out_dir=str(tmp_path / "2"), instruct=" slowly "), make_context())

    assert [take.instruct for result in (plain, slow) for take in read_takes(Path(result.takes))] == [None, "slowly"]
    assert Path(plain.wavs[0]).read_bytes() != Path(slow.wavs[0]).read_bytes()


def test_a_voice_design_speaks_by_its_instruct_and_not_without(large_voice: Path, make_context, tmp_path: Path) -> None:
    designer = shutil.copytree(large_voice, tmp_path / "designer")
    config = json.loads((designer / "config.json").read_text())
    config["talker_config"] |= {"spk_id": {}, "spk_is_dialect": {}}
    (designer / "config.json").write_text(json.dumps(config | {"tts_model_type": "voice_design"}))

    result = run(_params(designer, texts=TEXTS[:1], instruct="an old man"), make_context())
    with pytest.raises(UserError) as refused:
        check(_params(designer))

    (take,) = read_takes(Path(result.takes))
    assert (take.speaker, take.instruct, take.duration_s) == (None, "an old man", 0.8)
    assert refused.value.code == "instruct_missing"


@pytest.mark.parametrize("model", ["voice", "base", "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice"])
def test_an_instruct_that_stock_would_drop_is_refused_before_the_job(
    model: str, voice: Path, base: Path, reference: Path
) -> None:
    folder = {"voice": voice, "base": base}.get(model, Path(model))
    clone = {"ref_audio": str(reference)} if model == "base" else {}

    with pytest.raises(UserError) as refused:
        check(_params(folder, instruct="slowly", **clone))

    assert refused.value.code == "instruct_not_supported"


def test_an_unknown_speaker_names_the_known_one(voice: Path, make_context) -> None:
    with pytest.raises(UserError, match="no speaker 'bob'; it knows: nora") as caught:
        run(_params(voice, speaker="bob"), make_context())

    assert caught.value.code == "speaker_unknown"


def test_a_voice_refuses_a_reference(voice: Path, reference: Path, make_context) -> None:
    with pytest.raises(UserError, match="no base model") as caught:
        run(_params(voice, ref_audio=str(reference)), make_context())

    assert caught.value.code == "ref_audio_not_used"


@pytest.mark.parametrize(
    ("changes", "code"),
    [({}, "ref_audio_missing"), ({"speaker": "nora"}, "speaker_unknown")],
)
def test_a_base_model_refuses_what_it_cannot_do(base: Path, make_context, changes: dict, code: str) -> None:
    with pytest.raises(UserError) as caught:
        run(_params(base, **changes), make_context())

    assert caught.value.code == code


def test_a_reference_of_a_tenth_of_a_second_is_refused(base: Path, make_context, tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    write_clip(short, np.zeros(2400, np.float32), CLIP_RATE_HZ)

    with pytest.raises(UserError, match=r"0\.10 s") as caught:
        run(_params(base, ref_audio=str(short)), make_context())

    assert caught.value.code == "reference_too_short"


def test_a_text_without_words_and_a_reference_text_without_audio_are_refused_before_the_job(voice: Path) -> None:
    with pytest.raises(UserError) as no_words:
        check(_params(voice, texts=["Good day.", " ... "]))
    with pytest.raises(UserError) as no_audio:
        check(_params(voice, ref_text="Good day."))

    assert (no_words.value.code, no_audio.value.code) == ("text_empty", "ref_audio_missing")


def test_further_takes_of_a_text_have_other_seeds_and_the_first_stays_the_same(
    voice: Path, make_context, tmp_path: Path
) -> None:
    single = run(_params(voice, seed=5, out_dir=str(tmp_path / "single")), make_context())
    context = make_context()

    result = run(_params(voice, seed=5, out_dir=str(tmp_path / "several"), takes_per_text=2), context)

    takes = read_takes(Path(result.takes))
    assert [(take.audio, take.text, take.take) for take in takes] == [
        ("001.wav", TEXTS[0], 1),
        ("001_take2.wav", TEXTS[0], 2),
        ("002.wav", TEXTS[1], 1),
        ("002_take2.wav", TEXTS[1], 2),
    ]
    assert context.messages[0] == "2 texts, 4 takes, 0 done already"
    assert [take.seed for take in takes if take.take == 1] == [5, 5]
    assert takes[1].seed == takes[3].seed != 5
    assert Path(result.wavs[0]).read_bytes() == Path(single.wavs[0]).read_bytes()
    assert Path(result.wavs[0]).read_bytes() != Path(result.wavs[1]).read_bytes()


def test_takes_of_a_text_are_kept_one_by_one(voice: Path, make_context) -> None:
    stopped = make_context()
    stopped.cancel_after_progress = 3  # the first report, then both takes of the first text
    with pytest.raises(Cancelled):
        run(_params(voice, takes_per_text=2), stopped)
    second = make_context()

    run(_params(voice, takes_per_text=2), second)

    assert second.messages[0] == "2 texts, 4 takes, 2 done already"


def test_several_takes_of_greedy_speech_are_refused(voice: Path) -> None:
    with pytest.raises(UserError) as refusal:
        check(_params(voice, greedy=True, takes_per_text=3))

    assert refusal.value.code == "takes_identical"
