"""Changed copies of clips: what is changed, by how much, of which clips, and that it is encoded once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jobs.audio.clip_io import read_clip
from jobs.convert_codes.changed_copies import HIGHEST_PEAK, LOUDNESS_DB, SPEED, Change, draw_change
from jobs.convert_codes.dry_run import plan
from jobs.convert_codes.params import Params
from jobs.convert_codes.work import run
from jobs.dataset.manifest import Clip, read_rows, write_rows
from jobs.qwen.codec import load_codec
from jobs.qwen.toy.checkpoints import TOY_CODEC
from jobs.settings import Settings

MakeDataset = Callable[[int], Path]
KEYS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(200)]


def test_loudness_and_speed_change_a_little_in_both_directions() -> None:
    decibels = [draw_change("loudness", key).amount for key in KEYS]
    speeds = [draw_change("speed", key).amount - 1 for key in KEYS]

    for amounts, (least, most) in ((decibels, LOUDNESS_DB), (speeds, SPEED)):
        assert all(least - 0.001 <= abs(amount) <= most + 0.001 for amount in amounts)
        assert 70 < sum(amount > 0 for amount in amounts) < 130
        assert len(set(amounts)) > 20
    assert draw_change("speed", KEYS[0]) == draw_change("speed", KEYS[0])


def test_a_change_is_of_the_named_size_and_clips_nothing() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000, dtype=np.float32)

    louder = Change("loudness", 3.0).apply(tone)
    loud = Change("loudness", 3.0).apply(tone * np.float32(1.9))
    faster = Change("speed", 1.03).apply(tone)

    assert np.abs(louder).max() / np.abs(tone).max() == pytest.approx(10 ** (3 / 20), rel=1e-5)
    assert np.abs(loud).max() == pytest.approx(HIGHEST_PEAK, rel=1e-5)
    assert len(faster) == pytest.approx(24_000 / 1.03, abs=2)
    spectrum = np.abs(np.fft.rfft(faster))
    assert np.argmax(spectrum) * 24_000 / len(faster) == pytest.approx(440 * 1.03, abs=2)


def test_training_clips_get_the_codes_of_their_changed_sound_and_held_out_ones_none(
    make_dataset: MakeDataset, make_context
) -> None:
    manifest = make_dataset(3)
    rows = list(read_rows(manifest, Clip))
    write_rows(manifest, [rows[0], rows[1].model_copy(update={"split": "validation"}), rows[2]])

    result = run(Params(manifest=str(manifest), tokenizer="toy", augment=["loudness", "speed"]), make_context())

    found = list(read_rows(Path(result.manifest), Clip))
    codec = load_codec(TOY_CODEC, "cpu")
    assert (result.n_clips, result.n_changed_copies) == (3, 4)
    assert [len(row.changed_copies or ()) for row in found] == [2, 0, 2]
    assert result.n_frames == sum(len(row.audio_codes or ()) for row in found)
    samples = read_clip(manifest.parent / "clips" / "002.wav", 24_000)
    for copy in found[2].changed_copies or ():
        name, amount = copy.change.split()[:2]
        changed = Change("loudness" if name == "loudness" else "speed", float(amount)).apply(samples)
        assert copy.codes == codec.encode([changed])[0].tolist()
        assert copy.codes != found[2].audio_codes


def test_copies_are_made_only_where_asked_for_and_encoded_once(
    make_dataset: MakeDataset, make_context, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = make_dataset(2)
    plain = run(Params(manifest=str(manifest), tokenizer="toy"), make_context())
    before = Path(plain.manifest).read_bytes()
    asked = Params(manifest=str(manifest), tokenizer="toy", augment=["speed"])
    with_copies = run(asked, make_context())
    second = make_context()

    again = run(asked, second)
    without = run(Params(manifest=str(manifest), tokenizer="toy"), make_context())

    assert b"changed_copies" not in before
    assert (plain.n_changed_copies, with_copies.n_changed_copies, again.n_changed_copies) == (0, 2, 2)
    assert second.messages[0] == "2 clips, 0 to encode"
    assert Path(without.manifest).read_bytes() == before


def test_a_dry_run_counts_the_copies(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    write_rows(manifest, [Clip(audio="a.wav", text="One.", duration_s=6.0)] * 600)
    settings = Settings(home=tmp_path, envs=tmp_path, roots=(tmp_path,), hub_cache=tmp_path / "hub")

    plain = plan(Params(manifest=str(manifest), tokenizer="toy"), settings)
    both = plan(Params(manifest=str(manifest), tokenizer="toy", augment=["loudness", "speed"]), settings)

    assert both["disk"]["need_mb"] == pytest.approx(3 * plain["disk"]["need_mb"], abs=0.2)
    assert both["data"] == plain["data"]
