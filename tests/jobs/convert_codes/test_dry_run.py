"""A dry run counts what would be encoded and what it takes."""

from __future__ import annotations

import json
from pathlib import Path

from jobs.convert_codes.dry_run import plan_of
from jobs.settings import Settings


def test_the_plan_tells_frames_space_time_and_the_download(tmp_path: Path) -> None:
    rows = [{"audio": "a.wav", "text": "One.", "duration_s": 6.0}] * 600
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = Settings(home=tmp_path, envs=tmp_path, roots=(tmp_path,), hub_cache=tmp_path / "hub")

    plan = plan_of(tmp_path / "m.jsonl", "Qwen/Qwen3-TTS-Tokenizer-12Hz", tmp_path, settings)
    toy = plan_of(tmp_path / "m.jsonl", "toy", tmp_path, settings)

    assert plan["data"] == {"clips": 600, "hours": 1.0, "frames": 45_000}
    assert plan["tokenizer"].endswith("0.68 GB to be downloaded")
    assert plan["disk"]["need_mb"] == 7.9
    assert toy["tokenizer"] == "toy"
    assert plan["time"]["from"]
    assert toy["time"].get("about_min", 0) <= plan["time"].get("about_min", 0)
