"""Reports of a rating, a search and a refinement with plausible figures, drawn by what draws them in the jobs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from optuna.storages import InMemoryStorage

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.rate_samples import html_report as rating_report
from jobs.rate_samples import plots as rating_plots
from jobs.rate_samples.params import Drift, Rating
from jobs.rate_samples.params import Result as RatingResult
from jobs.rate_samples.results import RatingResults
from jobs.rating.human_ratings import HumanRating, Opinions, Vote
from jobs.rating.judge_models import JudgeModels, SpeakerModel
from jobs.refine_voice import html_report as refinement_report
from jobs.refine_voice import plots as refinement_plots
from jobs.refine_voice.params import Result as RefinementResult
from jobs.refine_voice.params import Round
from jobs.tune_hparams import html_report as search_report
from jobs.tune_hparams.params import Params as SearchParams
from jobs.tune_hparams.plots import draw_plots
from jobs.tune_hparams.search_space import Range
from jobs.tune_hparams.study import Study, TrialOutcome

TEXTS = (
    "A thirsty crow found a tall jug in the garden, and there was a little water at the bottom of it.",
    "Are you quite sure?",
    "On the third day the tortoise, who had never once looked back, came to the end of the road and lay down to sleep.",
)
PARTS = ("intelligibility", "voice", "sound", "timing")
REASONS = (
    "the words heard differ from the text in 12 % (limit 5 %): “jug” is heard as “jar”, “tall” is skipped",
    "speaking rate is 1.31 times the narrator's (limit 1.25)",
)
ANCHORS = {
    "narrator": {"mean": 4.61, "low": 4.48, "high": 4.72, "n": 12, "note": "12 clips that no training has seen."},
    "zero_shot": {"mean": 3.38, "low": 3.11, "high": 3.62, "n": 6, "note": "Six texts by the base's clone."},
    "other_speaker": {"mean": 2.21, "low": 2.02, "high": 2.4, "n": 12, "note": "Clips of another narrator."},
}


def write_reports(folder: Path) -> dict[str, str]:
    """Write the reports and return their paths by name."""
    return {"rating": write_rating(folder), "search": write_search(folder), "refinement": write_refinement(folder)}


def write_rating(folder: Path) -> str:
    """Write a rating of nine takes of three texts, with anchors, votes of two people, and spectrograms."""
    out = folder / "rating"
    at = np.arange(2 * CLIP_RATE_HZ) / CLIP_RATE_HZ
    tone = (0.2 * np.sin(2 * np.pi * (180 + 60 * np.sin(3 * at)) * at)).astype(np.float32)
    takes = [_rate(f"{number:03d}.wav", TEXTS[number % 3], 4.7 - 0.31 * number) for number in range(9)]
    narrator = [_rate(f"clips/{number}.wav", TEXTS[number], 4.6) for number in range(2)]
    others = [_rate(f"other/{number}.wav", TEXTS[number], 2.2) for number in range(2)]
    for one in (*takes, *narrator, *others):
        (out / one.audio).parent.mkdir(parents=True, exist_ok=True)
        write_clip(out / one.audio, tone, CLIP_RATE_HZ)
        picture = out / rating_plots.spectrogram_path(one.audio)
        picture.parent.mkdir(exist_ok=True)
        rating_plots.draw_spectrogram(picture, tone)
    opinions = Opinions(
        (HumanRating(audio="000.wav", text=TEXTS[0], score=5, note="Natural; the end falls.", at=1.0, who="Ada"),),
        tuple(Vote(audio=f"00{n}.wav", against=f"00{n + 3}.wav", text=TEXTS[n], winner="audio" if n else "against",
                   at=2.0, model="/home/ada/voices/anna", who="Ada") for n in range(3)),
    )  # fmt: skip
    rated = RatingResults(
        ratings=takes, anchors={"narrator": narrator, "other_speaker": others}, profiles={}, limits={},
        anchor_notes={name: str(ANCHORS[name]["note"]) for name in ("narrator", "other_speaker")},
        drift=Drift(n_takes=9, speaking_rate=None, pitch_st=None, sim=None, flags=[]),
        models=JudgeModels(SpeakerModel()), opinions=opinions,
    )  # fmt: skip
    rating_plots.draw_ratings(out / "ratings.png", takes, rated.anchor_summaries())
    result = RatingResult(
        ratings="", report="", evaluation="", n_takes=9, n_texts=3, mean_rating=3.4, mean_uncapped=3.46, low=2.9,
        high=3.9, worst_rating=2.2, best_take="000.wav", common_reasons={}, n_text_heard=9, n_text_compared=9,
        verdict=["9 takes of 3 texts: 3.46 (2.90 to 3.90 with 95 % certainty).",
                 "They lie between the narrator's own clips (4.61) and another speaker (2.21).",
                 "The most frequent fault: " + REASONS[0] + "."],
        plot=str(out / "ratings.png"), caveat=refinement_report.CAVEAT,
    )  # fmt: skip
    places = {one.audio: one.audio for one in (*takes, *narrator, *others)}
    rating_report.write_page(out / "report.html", rated, result, places)
    return str(out / "report.html")


def _rate(audio: str, text: str, uncapped: float) -> Rating:
    parts = {name: round(uncapped / 5 - 0.03 * n, 2) for n, name in enumerate(PARTS)}
    return Rating(
        audio=audio, text=text, rating=min(4.5, uncapped), uncapped=uncapped, measures={"utmosv2": 3.1},
        heard_words=text.lower().replace("jug", "jar"), reasons=list(REASONS) if uncapped < 4 else [],
        word_changes=["jug → jar"] if "jug" in text else [], **parts,
    )  # fmt: skip


def write_search(folder: Path) -> str:
    """Write a search of twelve trials of four settings, with its plots."""
    out = folder / "search"
    out.mkdir(parents=True)
    ranges = [Range(name="lr", low=1e-6, high=1e-3, log=True), Range(name="warmup_steps", low=0, high=60),
              Range(name="gradient_accumulation_steps", choices=[1, 2, 4])]  # fmt: skip
    study = Study(out / "study.db", ranges, storage=InMemoryStorage())
    rng = np.random.default_rng(1)
    points = [{"lr": float(10 ** rng.uniform(-6, -3)), "warmup_steps": int(rng.integers(0, 61)),
               "gradient_accumulation_steps": int(rng.choice([1, 2, 4]))} for _ in range(12)]  # fmt: skip
    study.enqueue(points, ["https://arxiv.org/abs/2601.15621, table 4"] + [""] * 11)
    for number, point in enumerate(points):
        trial = study.ask()
        assert trial is not None
        loss = 4.1 + 0.2 * (np.log10(point["lr"]) + 4.5) ** 2 + point["warmup_steps"] / 300
        failed = TrialOutcome("failed", None, "cuda_oom: no memory is left on GPU 0; lower micro_batch")
        study.tell(trial.number, failed if number == 5 else TrialOutcome("complete", float(loss)))
    params = SearchParams(manifest="m.jsonl", ranges=ranges)
    lines = search_report.summary_lines(params, study)
    search_report.write_page(out / "report.html", params, study, lines, draw_plots(study, out))
    return str(out / "report.html")


def write_refinement(folder: Path) -> str:
    """Write a refinement of three rounds, of which the second is best."""
    out = folder / "refinement"
    rounds = []
    for number, uncapped in enumerate((3.38, 3.97, 4.21, 4.02)):
        evaluation = out / f"evaluations/iteration_{number}/evaluation.json"
        evaluation.parent.mkdir(parents=True)
        samples = [{"phrase": text, "audio": f"eval_{n:02d}.wav", "rating": uncapped, "reasons": list(REASONS[:n])}
                   for n, text in enumerate(TEXTS)]  # fmt: skip
        evaluation.write_text(json.dumps({"samples": samples}))
        rounds.append(
            Round(iteration=number, rating=uncapped, uncapped=uncapped, low=uncapped - 0.2, high=uncapped + 0.2,
                  n_takes=12, stop_rate=1.0, intelligibility=0.94, similarity=0.81, voice="voice",
                  lr=2e-5 / (number or 1), steps=120 * number or None, validation_loss=4.2 - 0.1 * number,
                  decision="validation loss rose from step 120 on: lr 2e-05 becomes 1e-05, and 100 steps more")
        )  # fmt: skip
    trained = rounds[1:]
    verdict = "the threshold of 4.2 is met."
    lines = refinement_report.summary_lines(verdict, rounds[2], trained, ANCHORS, rated_by="automatic")
    curves = [{"loss": [(step, 5 - 0.01 * step) for step in range(0, 100, 10)],
               "validation_loss": [(50.0, 4.5), (90.0, 4.3)]} for _ in trained]  # fmt: skip
    refinement_plots.draw_losses(out / refinement_report.LOSSES, curves)
    refinement_plots.draw_ratings(out / refinement_report.RATED, rounds, ANCHORS, 4.2)
    result = RefinementResult(
        voice="final_model", best_iteration=2, rating=4.21, threshold_met=True, verdict="", summary=lines,
        rounds=rounds, report="",
    )  # fmt: skip
    refinement_report.write_page(out / refinement_report.PAGE, result, ANCHORS)
    return str(out / refinement_report.PAGE)
