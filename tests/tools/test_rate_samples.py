"""A person's scores: stored durably beside the takes, never invented, never lost."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs.dataset.takes import Take
from jobs.errors import UserError
from jobs.rating.human_ratings import HumanRating, append_durably
from tools.core.tool_types import ToolContext
from tools.rate_samples import Preferred, RateSamplesArgs, Score, rate_samples

pytestmark = pytest.mark.anyio


@pytest.fixture
def takes(work: Path) -> Path:
    """Two takes."""
    folder = work / "takes"
    folder.mkdir()
    rows = [
        Take(audio=f"take_{number:02}.wav", text=f"Line {number}.", duration_s=1.0, model="voice") for number in (0, 1)
    ]
    path = folder / "takes.jsonl"
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows))
    return path


def stored(takes: Path) -> list[dict[str, object]]:
    """What is on disk."""
    return [json.loads(line) for line in (takes.parent / "human_ratings.jsonl").read_text().splitlines()]


async def test_scores_are_stored_at_once_beside_the_takes(context: ToolContext, takes: Path) -> None:
    whole_path = str(takes.parent / "take_00.wav")
    scores = [Score(audio="take_01.wav", score=4, note="a little slow"), Score(audio=whole_path, score=2)]
    args = RateSamplesArgs(takes="takes", scores=scores)

    answer = await rate_samples(args, context)

    assert answer.job is None
    assert [(rating.text, rating.score) for rating in answer.recorded] == [("Line 1.", 4), ("Line 0.", 2)]
    assert [(row["audio"], row["score"], row.get("note")) for row in stored(takes)] == [
        ("take_01.wav", 4, "a little slow"),
        ("take_00.wav", 2, None),
    ]
    assert answer.human_ratings == str(takes.parent / "human_ratings.jsonl")
    assert answer.model_dump()["job"] is None


@pytest.fixture
def _take_of_a_stranger(takes: Path) -> None:
    """One of the takes lies outside of the folder."""
    takes.write_text(takes.read_text() + Take(audio="../../../etc/passwd", text="x").model_dump_json() + "\n")


@pytest.mark.usefixtures("_take_of_a_stranger")
async def test_a_person_is_asked_to_open_no_audio_outside_of_the_takes_folder(context: ToolContext) -> None:
    for scores in ([], [Score(audio="take_00.wav", score=2)]):
        with pytest.raises(UserError) as refused:
            await rate_samples(RateSamplesArgs(takes="takes", scores=scores), context)

        assert refused.value.code == "path_outside_dataset"


async def test_a_second_listening_is_added_to_the_first(context: ToolContext, takes: Path) -> None:
    for score in (3, 5):
        await rate_samples(RateSamplesArgs(takes="takes", scores=[Score(audio="take_00.wav", score=score)]), context)

    assert [row["score"] for row in stored(takes)] == [3, 5]


async def test_a_score_of_a_take_that_is_not_there_stores_nothing_and_names_the_nearest(
    context: ToolContext, takes: Path
) -> None:
    scores = [Score(audio="take_00.wav", score=3), Score(audio="take_1.wav", score=3)]

    with pytest.raises(UserError) as refusal:
        await rate_samples(RateSamplesArgs(takes="takes", scores=scores), context)

    assert refusal.value.code == "take_unknown"
    assert "Did you mean 'take_01.wav'?" in refusal.value.message
    assert not (takes.parent / "human_ratings.jsonl").exists()


async def test_a_dry_run_stores_nothing(context: ToolContext, takes: Path) -> None:
    args = RateSamplesArgs(takes="takes", scores=[Score(audio="take_00.wav", score=3)], dry_run=True)

    await rate_samples(args, context)

    assert not (takes.parent / "human_ratings.jsonl").exists()


async def test_with_neither_scores_nor_narrator_the_agent_learns_how_to_ask(context: ToolContext, takes: Path) -> None:
    answer = await rate_samples(RateSamplesArgs(takes="takes"), context)

    assert [take.text for take in answer.to_rate] == ["Line 0.", "Line 1."]
    assert 'rate_samples takes="takes" scores=' in answer.next
    assert not (takes.parent / "human_ratings.jsonl").exists()


async def test_takes_that_a_person_has_heard_are_not_asked_for_again(context: ToolContext, takes: Path) -> None:
    await rate_samples(RateSamplesArgs(takes="takes", scores=[Score(audio="take_00.wav", score=3)]), context)

    once = await rate_samples(RateSamplesArgs(takes="takes"), context)
    await rate_samples(RateSamplesArgs(takes="takes", scores=[Score(audio="take_01.wav", score=3)]), context)
    again = await rate_samples(RateSamplesArgs(takes="takes"), context)

    assert [take.text for take in once.to_rate] == ["Line 1."]
    assert [take.text for take in again.to_rate] == ["Line 0.", "Line 1."]


async def test_without_scores_the_automatic_rating_is_a_job(context: ToolContext, work: Path, takes: Path) -> None:
    (work / "m.jsonl").write_text('{"audio": "clips/a.wav", "text": "A line."}\n' * 5)

    answer = await rate_samples(RateSamplesArgs(takes="takes", narrator_manifest="m.jsonl", dry_run=True), context)

    assert answer.job is not None
    assert answer.job.kind == "rate_samples"
    assert answer.recorded == []


def test_lines_of_many_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "human_ratings.jsonl"
    path.write_text('{"written": "by hand, without a line\'s end"}')
    rating = HumanRating(audio="a.wav", text="x" * 5000, score=3, at=1.0)
    writers = [threading.Thread(target=append_durably, args=(path, [rating] * 3)) for _ in range(8)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    lines = path.read_text().splitlines()
    assert len(lines) == 1 + 8 * 3
    assert all(json.loads(line) for line in lines)


async def test_a_vote_between_two_takes_is_stored_in_the_same_record(context: ToolContext, takes: Path) -> None:
    votes = [Preferred(audio="take_00.wav", against="take_01.wav", winner="against", is_blind=True)]
    scores = [Score(audio="take_00.wav", score=2)]

    answer = await rate_samples(RateSamplesArgs(takes="takes", scores=scores, votes=votes, who="Ada"), context)

    assert [(row.get("score"), row.get("winner"), row["who"]) for row in stored(takes)] == [
        (2, None, "Ada"),
        (None, "against", "Ada"),
    ]
    assert [(vote.is_blind, vote.model, vote.against_model) for vote in answer.recorded_votes] == [
        (True, "voice", "voice")
    ]


async def test_a_vote_against_a_take_elsewhere_names_it_from_here_and_knows_its_model(
    context: ToolContext, work: Path, takes: Path
) -> None:
    clone = work / "clone"
    clone.mkdir()
    (clone / "a.wav").write_bytes(b"RIFF")
    (clone / "takes.jsonl").write_text(Take(audio="a.wav", text="x", duration_s=1, model="base").model_dump_json())
    votes = [Preferred(audio="take_00.wav", against="clone/a.wav", winner="audio")]

    (vote,) = (await rate_samples(RateSamplesArgs(takes="takes", votes=votes), context)).recorded_votes

    assert (vote.against, vote.against_model) == ("../clone/a.wav", "base")


@pytest.mark.parametrize(
    ("against", "code"),
    [("take_00.wav", "vote_on_itself"), ("/etc/a.wav", "path_outside_roots"), ("gone.wav", "take_unknown")],
)
async def test_a_vote_that_means_nothing_stores_nothing(
    context: ToolContext, takes: Path, against: str, code: str
) -> None:
    votes = [Preferred(audio="take_00.wav", against=against, winner="tie")]

    with pytest.raises(UserError) as refusal:
        await rate_samples(RateSamplesArgs(takes="takes", votes=votes), context)

    assert refusal.value.code == code
    assert not (takes.parent / "human_ratings.jsonl").exists()


async def test_a_thousand_scores_of_many_takes_are_stored_in_seconds(context: ToolContext, work: Path) -> None:
    """Each score went through all takes and their paths: a call took minutes, and no other was answered."""
    folder = work / "many"
    folder.mkdir()
    (folder / "here").symlink_to(folder)
    rows = (Take(audio=f"{number}.wav", text="Line.").model_dump_json() + "\n" for number in range(5_000))
    (folder / "takes.jsonl").write_text("".join(rows))
    scores = [Score(audio=f"here/{number}.wav", score=3) for number in range(1_000)]
    before_s = time.process_time()

    answer = await rate_samples(RateSamplesArgs(takes="many", scores=scores), context)

    assert [rating.audio for rating in answer.recorded] == [f"{number}.wav" for number in range(1_000)]
    assert time.process_time() - before_s < 10


async def test_a_name_with_a_null_character_is_no_take(context: ToolContext, takes: Path) -> None:
    with pytest.raises(UserError) as refused:
        await rate_samples(RateSamplesArgs(takes="takes", scores=[Score(audio="take\0.wav", score=3)]), context)

    assert refused.value.code == "take_unknown"
    vote = Preferred(audio="take_00.wav", against="take\0.wav", winner="audio")
    with pytest.raises(UserError) as refused:
        await rate_samples(RateSamplesArgs(takes="takes", votes=[vote]), context)

    assert refused.value.code == "path_unusable"


@pytest.mark.parametrize(
    ("n_clips", "kind", "code"), [(4, "base", "narrator_clips_too_few"), (5, "custom_voice", "anchor_trained")]
)
async def test_too_few_clips_and_a_trained_anchor_are_refused_before_the_job(
    context: ToolContext, work: Path, takes: Path, n_clips: int, kind: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "m.jsonl").write_text('{"audio": "clips/a.wav", "text": "A line."}\n' * n_clips)
    (work / "clone.jsonl").write_text(json.dumps({"audio": "a.wav", "text": "A.", "model": str(work)}) + "\n")
    monkeypatch.setattr("jobs.rate_samples.params.describe_model", lambda folder: SimpleNamespace(kind=kind))
    args = RateSamplesArgs(takes="takes", narrator_manifest="m.jsonl", zero_shot_takes="clone.jsonl", dry_run=True)

    with pytest.raises(UserError) as refused:
        await rate_samples(args, context)

    assert refused.value.code == code
