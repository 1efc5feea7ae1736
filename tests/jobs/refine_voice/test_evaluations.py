"""The files of a round."""

from __future__ import annotations

import json
from pathlib import Path

from jobs.refine_voice.evaluations import link_takes


def test_takes_that_have_their_second_name_already_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "001.wav").write_bytes(b"sound")
    take = {"audio": "001.wav", "text": "hello", "duration_s": 1.0}
    (tmp_path / "takes.jsonl").write_text(json.dumps(take) + "\n")

    for _ in range(2):  # the second time after a kill
        link_takes(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"001.wav", "takes.jsonl", "eval_00.wav"}
    assert (tmp_path / "eval_00.wav").read_bytes() == b"sound"
