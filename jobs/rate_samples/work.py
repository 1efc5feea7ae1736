"""Rate takes against their narrator: measure both, compare, write ``ratings.json`` and a plot.

Measures are kept beside the ratings by content, so that a repeated or continued run measures only what is new.
"""

from __future__ import annotations

from pathlib import Path

from jobs.rate_samples.desk import Desk
from jobs.rate_samples.plan import plan
from jobs.rate_samples.report import draw, summarise, write_report
from jobs.rate_samples.spec import Params, Result
from jobs.runner.context import JobContext
from jobs.runner.journal import Journal

JOURNAL = "rating_measures.jsonl"


def run(params: Params, context: JobContext) -> Result:
    """Rate every take.

    Raises:
        UserError: from ``plan``, from the narrator's profile, or ``audio_unreadable``.
    """
    takes_file = Path(params.takes)
    takes_file = takes_file / "takes.jsonl" if takes_file.is_dir() else takes_file
    out = Path(params.out) if params.out else takes_file.with_name("ratings.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    desk = Desk(
        plan(takes_file, Path(params.narrator_manifest), params.max_narrator_clips),
        Journal(out.with_name(JOURNAL)),
        context,
    )
    profiles = desk.profiles()
    ratings = desk.rate_all(profiles)
    plot = out.with_suffix(".png")
    result = summarise(ratings, out, plot)
    write_report(out, ratings, {speaker: profile for speaker, (profile, _) in profiles.items()}, result)
    draw(plot, ratings)
    context.publish("ratings", out, "ratings")
    context.publish("plot", plot, "plot")
    return result
