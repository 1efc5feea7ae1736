"""What is called after a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.training.spec import next_step


def after(params: dict[str, Any], voice: Path, **result: Any) -> str:
    given = {
        "voice": str(voice),
        "speaker": "anna",
        "report": "/out/report.html",
        "voice_step": 4,
        "validation_loss": 3.0,
        **result,
    }
    record = JobRecord(job_id="training-1", kind="training", state="succeeded", params=params, result=given)
    return next_step(record, cast("Runner", None))


def test_one_voice_is_spoken_with_and_several_are_compared_by_ear_and_by_rating(tmp_path: Path) -> None:
    exports = [{"step": step, "voice": f"/out/exports/step-{step}"} for step in (2, 4, 6)]

    one, several, last = (
        after({}, tmp_path),
        after({}, tmp_path, exports=exports, voice_last="/out/voice-last"),
        after({"export": "last"}, tmp_path, voice_step=6, exports=exports),
    )

    assert one.startswith(f'Call synthesize model="{tmp_path}" speaker="anna" texts=["')
    assert several.startswith(
        "The voice is the best by loss. By ear: /out/report.html. The best by rating: Call synthesize"
    )
    handles = [f'"artifact://training-1/{name}"' for name in ("voice-last", "voice-2", "voice-6")]
    assert f"compare_with=[{', '.join(handles)}]" in several
    assert last.startswith("The voice is the last.")
    assert "voice-6" not in last
