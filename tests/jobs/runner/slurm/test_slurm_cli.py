from __future__ import annotations

import pytest

from jobs.runner.slurm.slurm_cli import NoAnswerError, RefusedError
from tests.jobs.runner.slurm.conftest import DOWN, FakeSlurm


def test_a_command_that_hangs_is_no_answer_and_is_not_asked_again_at_once(fake: FakeSlurm) -> None:
    fake.answer("squeue", "sleep 60")
    commands = fake.commands(timeout_s=0.2, silence_s=60.0)

    with pytest.raises(NoAnswerError, match="in time"):
        commands.run("squeue")
    with pytest.raises(NoAnswerError, match="a moment ago"):
        commands.run("squeue")

    assert len(fake.calls("squeue")) == 1


def test_an_error_of_slurm_is_told_from_no_answer(fake: FakeSlurm) -> None:
    fake.answer("sbatch", "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")
    fake.answer("squeue", DOWN)

    with pytest.raises(RefusedError, match="invalid partition"):
        fake.commands().run("sbatch")
    with pytest.raises(NoAnswerError, match="Unable to contact"):
        fake.commands().run("squeue")
