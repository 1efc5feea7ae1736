"""A dry run counts what would be encoded and what it takes."""

from __future__ import annotations

import json
from pathlib import Path

from jobs.convert_codes.dry_run import plan
from jobs.convert_codes.params import Params
from jobs.settings import Settings


def test_the_plan_tells_frames_space_time_and_the_download(tmp_path: Path) -> None:
    rows = [{"audio": "a.wav", "text": "One.", "duration_s": 6.0}] * 600
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = Settings(home=tmp_path, envs=tmp_path, roots=(tmp_path,), hub_cache=tmp_path / "hub")

    manifest = str(tmp_path / "m.jsonl")
    real = plan(Params(manifest=manifest), settings)
    toy = plan(Params(manifest=manifest, tokenizer="toy"), settings)

    assert real["data"] == {"clips": 600, "hours": 1.0, "frames": 45_000}
    assert real["tokenizer"].endswith("0.68 GB to be downloaded")
    assert real["disk"]["need_mb"] == 7.9
    assert toy["tokenizer"] == "toy"
    assert real["time"]["from"]
    assert toy["time"].get("about_min", 0) <= real["time"].get("about_min", 0)
