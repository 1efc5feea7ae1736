"""Real output of Slurm 22.05.8, read."""

from __future__ import annotations

from jobs.runner.attempt.spec import build_slurm_name
from jobs.runner.slurm.squeue_parser import find, parse

# squeue --me --noheader --states=all --format=... with SLURM_TIME_FORMAT=%s
OUTPUT = """\
2|PENDING|1795486588|Priority|tts:add-2:1
1|RUNNING|1795486588|None|tts:add-20261124-021238-7f3a:1
5|COMPLETED|1795486590|None|wrap
7|PENDING|1795486622|launch failed requeued held|tts:add-20261124-021238-7f3a:2
slurm_load_jobs error: Unable to contact slurm controller (connect failure)
"""
NAME = build_slurm_name("add-20261124-021238-7f3a", 1)


def test_our_jobs_are_found_among_other_lines() -> None:
    jobs = parse(OUTPUT)

    assert [(job.slurm_id, job.state, job.reason) for job in jobs] == [
        ("2", "PENDING", "Priority"),
        ("1", "RUNNING", "None"),
        ("7", "PENDING", "launch failed requeued held"),
    ]


def test_a_job_is_found_by_its_whole_name_not_by_an_id() -> None:
    found = find(parse(OUTPUT), NAME, asked_at=1795486588.0)

    assert found is not None
    assert found.slurm_id == "1"
    assert find(parse(OUTPUT), build_slurm_name("add-2", 2), asked_at=0.0) is None


def test_a_job_of_the_same_name_from_before_we_asked_is_not_ours() -> None:
    assert find(parse(OUTPUT), NAME, asked_at=1795486588.0 + 3600) is None


def test_of_two_with_one_name_the_living_one_counts() -> None:
    twice = "1|RUNNING|100|None|tts:a:1\n2|FAILED|101|NonZeroExitCode|tts:a:1\n"

    found = find(parse(twice), "tts:a:1", asked_at=100.0)

    assert found is not None
    assert found.slurm_id == "1"
