"""The tool ``rate_samples``: the automatic rating as a job; a person's scores and votes are stored at once.

``jobs.rate_samples.spec`` declares what agents and people read of it.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread
from pydantic import Field

from jobs.dataset.audio_roots import OWN_FOLDER
from jobs.dataset.takes import Take, find_takes_file, read_takes
from jobs.errors import UserError
from jobs.files.output_marks import HUMAN_RATINGS
from jobs.param_types import IngestedManifest, Strict, rare
from jobs.rate_samples.params import Params
from jobs.rate_samples.spec import KIND
from jobs.rating.human_ratings import HumanRating, Vote, Winner, append_durably, read_opinions
from tools.core.elicit_scores import MOST_ASKED, TakeToHear, ask_scores, request_in_chat
from tools.core.start import start
from tools.core.tool_types import StartArgs, ToolContext
from tools.core.views import JobView, View
from tools.inputs.paths import resolve_paths
from tools.inputs.takes import OtherTakes, TakeIndex


class Score(Strict):
    """A person's score of one take."""

    audio: str = Field(description="The take's file name.")
    score: int = Field(ge=1, le=5, description="5: like the narrator.")
    note: str = Field("", max_length=2000, description="Observations.")


class Preferred(Strict):
    """A person's choice between two takes of the same text."""

    audio: str = Field(description="A take of these takes.")
    against: str = Field(description="The other one: a take of these, or the path of a wav elsewhere.")
    winner: Winner
    is_blind: bool = Field(False, description="True only if the listener did not know which was which.")
    note: str = Field("", max_length=2000)


class RateSamplesArgs(StartArgs, Params):
    """Arguments of ``rate_samples``."""

    # The automatic rating needs the narrator's clips; scores of a person do not.
    narrator_manifest: IngestedManifest | None = Field(  # type: ignore[assignment]
        None, description="The narrator's dataset: name or manifest. Not with scores."
    )
    scores: list[Score] = Field(default_factory=list, description="Given by a person, never invented.")
    votes: list[Preferred] = rare(
        default_factory=list,
        description="A person's choices between two takes of a text; ./run.sh listen has a page for blind ones.",
    )
    who: str = rare("", max_length=100, description="Who listened.")


class RateSamplesAnswer(View):
    """The rating job, or the scores that were stored."""

    SHOWN_WHEN_EMPTY = frozenset({"job", "recorded"})

    job: JobView | None = None
    recorded: list[HumanRating] = Field(default_factory=list)
    recorded_votes: list[Vote] = Field(default_factory=list)
    to_rate: list[TakeToHear] = Field(default_factory=list, description="Takes for a person to listen to.")
    human_ratings: str = Field("", description="human_ratings.jsonl: all scores and votes of these takes.")
    next: str = ""


async def rate_samples(args: RateSamplesArgs, context: ToolContext) -> RateSamplesAnswer:
    """Store scores, start the automatic rating, or ask for scores, by what the call gives."""
    if args.scores or args.votes:
        return await to_thread.run_sync(_record, args, context)
    if args.narrator_manifest is not None:
        job = await start(KIND, args, context)
        return RateSamplesAnswer(job=job)  # which has the next step
    return await _ask(args, context)


async def _ask(args: RateSamplesArgs, context: ToolContext) -> RateSamplesAnswer:
    takes_path, takes = await to_thread.run_sync(_takes, args, context)
    waiting = await to_thread.run_sync(_not_heard, takes_path, takes)
    to_rate = [
        TakeToHear(audio=str((takes_path.parent / take.audio).absolute()), text=take.text)
        for take in waiting[:MOST_ASKED]
    ]
    answer = None if args.dry_run or not to_rate else await ask_scores(context.ask, to_rate)
    if answer is None:
        return RateSamplesAnswer(to_rate=to_rate, next=request_in_chat(args.takes))
    scores, note = answer
    given = [Score(audio=audio, score=score, note=note) for audio, score in scores.items()]
    recorded = await to_thread.run_sync(_record, args.model_copy(update={"scores": given}), context)
    left = len(waiting) - len(given)
    more = f"{left} of {len(takes)} takes have no score of a person; the same call asks for them." if left else ""
    stored = "Stored." if given else "Nothing was stored."
    return recorded.model_copy(update={"next": f"{stored} {more}".strip()})


def _record(args: RateSamplesArgs, context: ToolContext) -> RateSamplesAnswer:
    takes_path, takes = _takes(args, context)
    now = round(time.time(), 3)
    known = TakeIndex(takes_path.parent, takes)
    scores = [_score(score, known, now, args.who) for score in args.scores]
    elsewhere = OtherTakes(known, context.settings)
    votes = [_vote(vote, known, elsewhere, now, args.who) for vote in args.votes]
    path = takes_path.with_name(HUMAN_RATINGS)
    if args.dry_run:
        return RateSamplesAnswer(human_ratings=str(path), next="Nothing was stored. Call again without dry_run.")
    if scores or votes:
        append_durably(path, [*scores, *votes])
    return RateSamplesAnswer(
        recorded=scores,
        recorded_votes=votes,
        human_ratings=str(path),
        next="Stored. A new automatic rating of these takes (reuse=false) shows them too.",
    )


def _takes(args: RateSamplesArgs, context: ToolContext) -> tuple[Path, list[Take]]:
    takes_path = find_takes_file(Path(resolve_paths(args, context.settings, context.runner).takes))
    takes = read_takes(takes_path)
    for take in takes:  # a person is asked to open them
        OWN_FOLDER.find(takes_path, takes_path.parent, take.audio)
    return takes_path, takes


def _not_heard(takes_path: Path, takes: Sequence[Take]) -> list[Take]:
    """Takes without a person's score; all of them when each has one, for a second score."""
    heard = {rating.audio for rating in read_opinions(takes_path.parent).scores}
    return [take for take in takes if take.audio not in heard] or list(takes)


def _score(score: Score, known: TakeIndex, now: float, who: str) -> HumanRating:
    take = known.get(score.audio)
    return HumanRating(
        audio=take.audio, text=take.text, score=score.score, note=score.note, at=now, who=who, model=take.model
    )


def _vote(vote: Preferred, known: TakeIndex, elsewhere: OtherTakes, now: float, who: str) -> Vote:
    take = known.get(vote.audio)
    against, model = elsewhere.find(vote.against)
    if against == take.audio:
        raise UserError("vote_on_itself", f"{take.audio} is compared with itself.", "Nothing was stored. Name another.")
    return Vote(
        audio=take.audio,
        against=against,
        text=take.text,
        winner=vote.winner,
        is_blind=vote.is_blind,
        note=vote.note,
        at=now,
        who=who,
        model=take.model,
        against_model=model,
    )
