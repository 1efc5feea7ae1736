"""The demo's report as text and as JSON, and its progress line."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from server.demo.steps import ENOUGH_RECOGNISED, Step

PROVES = (
    "What this shows: the whole path runs on this machine through the MCP tools: a real m4b is decoded, cut and "
    "aligned; the stock 12 Hz tokenizer classes make the codes; training predicts what generation generates; the "
    "export speaks through stock qwen_tts; a recogniser follows its speech."
)
PROVES_NOT = (
    "What it does not show: quality. The toy is a one-voice codec of a synthetic narrator (flite's slt) and a tiny "
    "talker that has memorised these sentences; it can say nothing else, and its ratings say nothing about "
    "Qwen3-TTS. A real voice needs the real weights and, in practice, a GPU: README, 'A real voice'."
)


@dataclass
class ProgressLine:
    """Progress on a stream: one line rewritten at a terminal, a new line every tenth elsewhere."""

    stream: TextIO
    shown: set[tuple[str, str]] = field(default_factory=set)

    def show(self, job: dict[str, Any]) -> None:
        """Show a job's progress."""
        fraction = job.get("fraction")
        share = f"{100 * fraction:3.0f} %" if fraction is not None else "     "
        text = f"{job['kind']:18}{job['state']:10}{share}  {job.get('progress') or ''}"
        if self.stream.isatty():
            self.stream.write("\r\x1b[K" + text[:110] + ("\n" if job["poll_after_s"] is None else ""))
        else:
            key = (job["job_id"], f"{job['state']}{int(10 * (fraction or 0))}")
            if key in self.shown:
                return
            self.shown.add(key)
            self.stream.write(text + "\n")
        self.stream.flush()


def rated_takes(steps: list[Step]) -> list[dict[str, Any]]:
    """Return the rated takes with text, wav, recognised words, rating and reasons; empty if not reached."""
    ratings = next((step.result.get("ratings") for step in steps if step.tool == "rate_samples"), None)
    if not ratings:
        return []
    takes = json.loads(Path(ratings).read_text(encoding="utf-8"))["takes"]
    folder = next(step.result["folder"] for step in steps if step.tool == "synthesize" and step.result)
    return [{**take, "path": str(Path(folder) / take["audio"])} for take in takes]


def count_recognised(steps: list[Step]) -> tuple[int, int]:
    """Return the number of takes recognised as the right text, and the number of all."""
    result = next((step.result for step in steps if step.tool == "rate_samples" and step.result), {})
    return int(result.get("n_text_heard", 0)), int(result.get("n_takes", 0))


def is_good(steps: list[Step]) -> bool:
    """Return True if every step succeeded and enough sentences were recognised."""
    return all(step.state == "succeeded" for step in steps) and count_recognised(steps)[0] >= ENOUGH_RECOGNISED


def as_json(steps: list[Step], total_s: float) -> str:
    """Return the report as one JSON object."""
    n_heard, n_takes = count_recognised(steps)
    report = {
        "ok": is_good(steps),
        "total_s": round(total_s, 1),
        "n_text_heard": n_heard,
        "n_takes": n_takes,
        "steps": [asdict(step) for step in steps],
        "takes": rated_takes(steps),
        "proves": PROVES,
        "proves_not": PROVES_NOT,
    }
    return json.dumps(report, ensure_ascii=False)


def as_text(steps: list[Step], total_s: float) -> str:
    """Return the report as text: table of steps, takes, and their meaning."""
    lines = ["", f"{'step':48}{'tool':22}{'state':11}{'time':>8}"]
    for step in steps:
        time_text = "reused" if step.reused else f"{step.seconds:.1f} s"
        lines.append(f"{step.title:48}{step.tool:22}{step.state:11}{time_text:>8}")
        if step.made:
            lines.append(f"    {step.made}")
        if step.error:
            lines.append(f"    {step.error['code']}: {step.error['message']}\n    {step.error.get('hint', '')}")
            lines += [f"    ./run.sh logs {step.job_id}"] if step.job_id else []
    takes = rated_takes(steps)
    if takes:
        lines += [
            "",
            "Takes of the trained voice (rating 1 to 5 against the narrator's own clips; words of a recogniser that",
        ]
        lines += ["expects the sentence and may hear others):"]
        for take in takes:
            lines.append(f"  {take['rating']:.1f}  {take['text']}")
            lines.append(f"       heard: {take.get('heard_words') or '-'}")
            lines.append(f"       {take['path']}")
        n_heard, n_takes = count_recognised(steps)
        lines.append(f"The right text scores highest in {n_heard} of {n_takes} takes (needed: {ENOUGH_RECOGNISED}).")
    lines += [
        "",
        PROVES,
        "",
        PROVES_NOT,
        "",
        f"All steps took {total_s:.0f} s. Finished steps are reused when it runs again.",
    ]
    return "\n".join(lines) + "\n"
