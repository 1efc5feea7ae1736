"""What figures weigh: by whose trainer they come from, never by what their page says of itself."""

from __future__ import annotations

import pytest

from jobs.web_research_hparams.evidence.conflicts import find_conflicts
from jobs.web_research_hparams.evidence.trainers import classify_loss_state
from jobs.web_research_hparams.evidence.weighing import (
    Question,
    ValueCandidate,
    extract_candidates,
    find_supported_values,
    weigh,
)
from jobs.web_research_hparams.knowledge import load_knowledge, select_relevant
from jobs.web_research_hparams.recommend import MAX_POINTS_FROM_PAGES, Recommendation, RecommendationRequest, recommend
from jobs.web_research_hparams.search.response_parsers import Page

SWIFT = "https://github.com/modelscope/ms-swift/blob/main/examples/train.sh"
QUESTION = Question(size="0.6b", method="full")


def page(text: str, url: str = "https://blog.example/a", title: str = "Qwen3-TTS") -> Page:
    return Page("web_search", title, url, "2026-05-06", text)


def weighed(*pages: Page) -> list[ValueCandidate]:
    return [weigh(one, QUESTION) for one in extract_candidates(pages)]


def recommended(*pages: Page) -> Recommendation:
    return recommend(RecommendationRequest(), load_knowledge(), None, weighed(*pages))


@pytest.mark.parametrize(
    ("url", "words", "state"),
    [
        (SWIFT, "", "correct"),
        ("https://github.com/modelscope/ms-swift/issues/12", "", "unknown"),  # anyone may write an issue
        ("https://blog.example/", "trained with ms-swift", "unknown"),  # or a name
        ("https://github.com/QwenLM/Qwen3-TTS/issues/39", "", "misaligned"),
        ("https://blog.example/", "with sft_12hz.py of the repository", "misaligned"),
        ("https://github.com/instavar/qwen3-tts-lora-finetuning", "", "code_predictor_labels_wrong"),
        ("https://github.com/someone/else", "", "unknown"),
        ("https://github.com.evil.example/modelscope/ms-swift", "", "unknown"),
    ],
)
def test_the_loss_of_a_figure_is_that_of_the_trainer_it_comes_from(url: str, words: str, state: str) -> None:
    assert classify_loss_state(url, words) == state


@pytest.mark.parametrize(
    ("found", "verdict", "rule"),
    [
        (page("lr 3e-6", SWIFT), "counts", ""),
        (page("lr 3e-6"), "counts", ""),
        (page("lr 3e-6", "https://github.com/QwenLM/Qwen3-TTS"), "no_weight", ""),
        (page("lr 3e-6 is too high"), "against", ""),
        (page("lr 3e-6", title="Orpheus"), "no_weight", "no-transfer"),
        (page("LoRA: lr 3e-6"), "no_weight", ""),
        (page("lr 10"), "rejected", "not-a-setting"),
        (page("lr 1e-3"), "rejected", "lr-full-too-high"),
        (page("lr 1e-6 to 1e-3"), "rejected", "lr-full-too-high"),
        (page("30 epochs"), "rejected", "epochs-full-too-many"),
    ],
)
def test_a_figure_is_judged(found: Page, verdict: str, rule: str) -> None:
    (one,) = weighed(found)

    assert (one.verdict, one.rule) == (verdict, rule)
    assert one.why
    assert (one.weight > 0) == (verdict == "counts")


def test_a_figure_of_the_other_size_weighs_half() -> None:
    here, other = weighed(page("0.6B: lr 3e-6", SWIFT), page("1.7B: lr 3e-6", SWIFT + "2"))

    assert (here.weight, other.weight) == (1.0, 0.5)


def test_one_stranger_adds_no_point_two_do_and_a_sound_source_does_alone() -> None:
    one = recommended(page("lr 3e-6"))
    twice = recommended(page("lr 3e-6"), page("lr 3e-6", "https://blog.example/b"))
    two = recommended(page("lr 3e-6"), page("lr 3e-6", "https://else.example/"))
    sound = recommended(page("lr 3e-6", SWIFT))

    assert [point["lr"] for point in one.starting_points] == [5e-6, 1e-5, 1e-6]
    assert twice.starting_points == one.starting_points  # the same voice
    assert [point["lr"] for point in two.starting_points] == [5e-6, 1e-5, 1e-6, 3e-6]
    assert two.points_because[-1] == ["w1", "w2"]
    assert [point["lr"] for point in sound.starting_points] == [5e-6, 1e-5, 1e-6, 3e-6]
    assert sound.starting_points[-1]["source"] == SWIFT


def test_whatever_pages_say_settings_limits_and_ranges_stay() -> None:
    mob = [page(f"lr {lr}, 2 epochs, batch size 9, warm-up 7 steps", f"https://a{n}.example/{n}")
           for lr in ("2e-6", "3e-6", "4e-6", "7e-6", "9e-6", "2e-5", "10") for n in range(9)]  # fmt: skip

    quiet, loud = recommended(), recommended(*mob)

    assert (loud.settings, loud.limits, loud.ranges) == (quiet.settings, quiet.limits, quiet.ranges)
    assert loud.starting_points[:3] == quiet.starting_points
    assert len(loud.starting_points) <= 3 + MAX_POINTS_FROM_PAGES
    assert all(1e-6 <= point["lr"] <= 1e-5 for point in loud.starting_points)


def test_values_within_a_tenth_are_one() -> None:
    found = find_supported_values(weighed(page("lr 3e-6"), page("lr 3.1e-6", "https://else.example/")), "lr")

    assert [(value, len(group)) for value, group in found] == [(3e-6, 2)]


def test_conflicts_come_with_the_reason_for_their_lower_weight() -> None:
    facts = select_relevant(load_knowledge(), size="0.6b", method="full")

    conflicts = find_conflicts("lr", 5e-6, "0.6b", facts, weighed(page("lr 2e-6", SWIFT)))

    assert [conflict.id for conflict in conflicts][:3] == ["w1", "full-lr-too-high", "swift-preset"]
    assert conflicts[0].says == "2e-6"
    (against,) = find_conflicts("lr", 5e-6, "0.6b", [], weighed(page("lr 5e-6 is too high")))
    assert (against.says, against.why_lower) == ("not 5e-6", "claim of one page; the loss is not known")
    assert conflicts[2].why_lower == "a default; no result was published with it"
