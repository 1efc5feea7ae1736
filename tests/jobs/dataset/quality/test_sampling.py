"""Curated clips whose text is another one's are found by recognition; clips left out are reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.dataset.manifest import Clip, Rejection, read_rows
from jobs.dataset.quality.measure_all import MOST_TEXTS, choose_for_text, measure_text_matches
from jobs.dataset.quality.measure_clip import Measured
from jobs.dataset.quality.thresholds import Thresholds
from jobs.ingest_clips.params import Params
from jobs.ingest_clips.work import run
from tests.jobs.dataset.conftest import PRINTING

Contexts = Callable[[], Any]
SPOKEN = Measured(values={"snr_db": 40.0}, n_words=12, speech_span_s=5.0)


def test_a_clip_with_another_ones_text_is_rejected_and_the_right_ones_are_kept(
    printing_clips: dict[str, np.ndarray], tmp_path: Path, make_context: Contexts
) -> None:
    lines = [json.loads(line) for line in (PRINTING / "utterances.jsonl").read_text().splitlines()]
    texts = {line["id"]: line["text"] for line in lines if len(line["text"].split()) >= 8}
    names = sorted(texts)[:6]
    wrong = min(sorted(texts)[6:], key=lambda name: abs(len(texts[name]) - len(texts[names[2]])))
    for name in names:
        write_clip(tmp_path / f"{name}.wav", printing_clips[name], CLIP_RATE_HZ)
    given = [{"audio_file": f"{name}.wav", "text": texts[wrong if name == names[2] else name]} for name in names]
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in given))

    run(
        Params(transcripts=str(tmp_path / "lines.jsonl"), out_dir=str(tmp_path / "out"), quality={"dnsmos": "off"}),
        make_context(),
    )

    (rejection,) = read_rows(tmp_path / "out" / "rejections.jsonl", Rejection)
    kept = list(read_rows(tmp_path / "out" / "train_manifest.jsonl", Clip))
    assert (rejection.reason, rejection.limit) == ("words_differ", 0.75)
    assert rejection.source.recording == f"{names[2]}.wav"
    assert rejection.value is not None
    assert rejection.value < 0.4
    assert [Path(row.audio).stem for row in kept] == [name for name in names if name != names[2]]
    assert min(row.quality["text_match"] for row in kept) >= 0.79


def test_what_recognition_cannot_judge_is_left_and_told() -> None:
    clips = [
        Clip(audio="a.wav", text="Right.", transcript="curated", language="english"),
        Clip(audio="b.wav", text="Kurz.", transcript="curated", language="german"),
        Clip(audio="c.wav", text="Short.", transcript="curated", language="english"),
        Clip(audio="d.wav", text="Few words.", transcript="curated", language="english"),
    ]
    short, few = SPOKEN.model_copy(update={"speech_span_s": 2.9}), SPOKEN.model_copy(update={"n_words": 5})

    chosen = choose_for_text(clips, [SPOKEN, SPOKEN, short, few], range(4), Thresholds())

    assert chosen.places == [0]
    assert chosen.note == "The texts of 3 clips were not checked: 1 not English, 2 shorter than 3 s or 6 words."


@pytest.mark.parametrize(
    ("how", "transcript", "n_heard"),
    [
        ("sampled", "curated", MOST_TEXTS),
        ("all", "curated", 2 * MOST_TEXTS),
        ("off", "curated", 0),
        ("sampled", "subtitle", 2 * MOST_TEXTS),
        ("sampled", "book", 0),
        ("all", "book", 2 * MOST_TEXTS),
    ],
)
def test_many_clips_are_sampled_evenly_and_books_only_on_demand(how: Any, transcript: Any, n_heard: int) -> None:
    said = Clip(audio="a.wav", text="Said.", transcript=transcript, language="english")
    clips = [said.model_copy(update={"audio": f"{k}.wav"}) for k in range(2 * MOST_TEXTS)]

    chosen = choose_for_text(clips, [SPOKEN] * len(clips), range(len(clips)), Thresholds(text_match=how))

    assert len(chosen.places) == n_heard
    assert (chosen.note is not None) == (n_heard == MOST_TEXTS)
    if n_heard == MOST_TEXTS:
        assert chosen.places == list(range(0, len(clips), 2))


def test_short_texts_of_subtitles_are_compared_with_those_around(
    printing_clips: dict[str, np.ndarray], tmp_path: Path, make_context: Contexts
) -> None:
    texts = {line["id"]: line["text"] for line in map(json.loads, (PRINTING / "utterances.jsonl").open())}
    names = sorted(texts)[:10]
    first, second = sorted(names, key=lambda name: len(texts[name]))[:2]
    for name in names:
        write_clip(tmp_path / f"{name}.wav", printing_clips[name], CLIP_RATE_HZ)
    said = [Clip(audio=f"{name}.wav", text=texts[name], transcript="subtitle", language="english") for name in names]
    swapped = {f"{first}.wav": texts[second], f"{second}.wav": texts[first]}
    wrong = [clip.model_copy(update={"text": swapped.get(clip.audio, clip.text)}) for clip in said]
    measured = [SPOKEN.model_copy(update={"n_words": len(clip.text.split())}) for clip in said]
    sample = choose_for_text(said, measured, range(len(said)), Thresholds())

    right, others = (
        measure_text_matches(tmp_path, clips, sample, make_context(), lambda _: None) for clips in (said, wrong)
    )

    assert sample.places == list(range(10))
    assert {names.index(first), names.index(second)} <= sample.short
    assert min(right.values()) >= 0.75
    assert [names[k] for k, share in others.items() if share < 0.75] == sorted([first, second])
