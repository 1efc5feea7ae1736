"""Next step after an ingest: what to look at first, then the alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.runner.call_text import call_text

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord

LEAST_KEPT_S = 15 * 60.0
"""Audio that makes a voice (README, "How much it takes"); less is a trial."""


def next_of_ingest(record: JobRecord, _: Runner) -> str:
    """Name the alignment; before it, what was rejected, and that less than 15 minutes are a trial."""
    result = record.result or {}
    if record.params.get("transcript") == "none":
        again = call_text(record.kind, {"audio": record.params["audio"], "voice": record.params["voice"], "text": "…"})
        return f"The clips have no text, which alignment and training need: call {again}, or without text for Whisper."
    kept_s = float(result.get("kept_s", LEAST_KEPT_S))
    parts = []
    if result.get("n_rejected"):
        parts.append(f"Look at what was rejected and why: {result.get('report') or 'rejections.jsonl'}.")
    if kept_s < LEAST_KEPT_S:
        parts.append(f"Only {kept_s / 60:.1f} minutes are kept: a trial; a voice takes 15 minutes of audio or more.")
    return " ".join([*parts, f"Call {call_text('align', {'manifest': result.get('manifest', '')})}."])
