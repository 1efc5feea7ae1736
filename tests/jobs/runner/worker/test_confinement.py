"""Where a worker can write, from real workers; and what is told when it cannot."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import all_kinds
from jobs.runner.machine import limits
from jobs.runner.models import JobRecord
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.runner.worker import confinement
from jobs.settings import PROJECT_ROOT, Settings
from jobs.trust import landlock

BOUND_S = 60.0
Until = Callable[[Callable[[], object]], object]
needs_landlock = pytest.mark.skipif(
    not landlock.version(), reason="this kernel has no Landlock: use Linux 5.19 or later"
)


@pytest.fixture
def targets(tmp_path: Path) -> dict[str, Path]:
    """Files of the user, and links in the output folder that lead to them."""
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    for folder in (out, elsewhere):
        folder.mkdir()
    (elsewhere / "profile").write_text("of the user\n")
    (out / "link").symlink_to(elsewhere / "profile")
    (out / "folder").symlink_to(elsewhere)
    return {
        "own": out / "new.txt",
        "outside": elsewhere / "new.txt",
        "by a link": out / "link",
        "by a linked folder": out / "folder" / "new.txt",
        "by dots": out / ".." / "elsewhere" / "new.txt",
    }


def _scribble(runner: Runner, targets: list[Path], out: Path, *, gives_up: bool = False) -> JobRecord:
    from tiny_kinds import SCRIBBLE, ScribbleParams

    params = ScribbleParams(targets=list(map(str, targets)), out_dir=str(out), gives_up=gives_up)
    return runner.wait(runner.submit(SCRIBBLE, params).job.job_id, BOUND_S)


@needs_landlock
def test_a_worker_and_its_children_write_the_output_folder_and_nothing_outside_of_it(
    runner: Runner, home: Home, targets: dict[str, Path], tmp_path: Path
) -> None:
    job = _scribble(runner, list(targets.values()), tmp_path / "out")

    assert job.result is not None
    assert job.result["denied"] == [str(path) for name, path in targets.items() if name != "own"]
    assert job.result["child_denied"] is True
    assert job.result["n_threads"] == 1  # one that was started before would not be confined
    assert (tmp_path / "elsewhere" / "profile").read_text() == "of the user\n"
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["profile"]
    assert Path(job.result["temporary"]).parent == home.attempt(job.job_id, 1).temporary
    assert not home.attempt(job.job_id, 1).temporary.exists()


@needs_landlock
def test_a_refused_write_is_told_with_the_place_and_what_to_do(
    runner: Runner, targets: dict[str, Path], tmp_path: Path
) -> None:
    job = _scribble(runner, [targets["by a link"]], tmp_path / "out", gives_up=True)

    assert job.failure is not None
    assert job.failure.code == "write_denied"
    assert str(tmp_path / "elsewhere" / "profile") in job.failure.message
    assert "sandbox = false" in job.failure.hint
    assert f"it can write in {job.folder}, {tmp_path / 'out'}, " in "\n".join(runner.log_tail(job.job_id, 50))


def test_without_the_sandbox_a_worker_writes_as_its_user(
    settings: Settings, targets: dict[str, Path], tmp_path: Path
) -> None:
    job = _scribble(Runner(replace(settings, sandbox=False)), list(targets.values()), tmp_path / "out")

    assert job.result is not None
    assert job.result["denied"] == []


@needs_landlock
def test_the_supervisor_that_a_director_needs_is_not_confined_and_outlives_it(
    runner: Runner, store: Store, pids, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import DIRECT, DirectParams

    gate, journal = tmp_path / "gate", tmp_path / "elsewhere" / "journal"
    journal.parent.mkdir()
    runner.submit(DIRECT, DirectParams(n_children=3, gate=str(gate), journal=str(journal)))
    until(lambda: journal.exists() and journal.read_text().count("start") == 2)  # the third waits for a slot
    first = pids.supervisor()
    os.kill(first, 9)
    until(lambda: pids.supervisor() != first)
    gate.touch()

    # looked up where no supervisor is started
    until(lambda: store.newest(state="succeeded", kind="direct", limit=1, before=None))

    assert journal.read_text().count("end") == 3
    os.kill(pids.supervisor(), 0)


@needs_landlock
def test_a_child_of_the_server_writes_its_output_only_and_has_limits(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "file"
    (tmp_path / "looks_at_a_file.py").write_text(
        "import pathlib, resource\n"
        "print(resource.getrlimit(resource.RLIMIT_FSIZE)[0])\n"
        f"pathlib.Path({str(file)!r}).touch()\n"
    )
    environment = settings.to_environment({"PYTHONPATH": str(tmp_path)})

    done = subprocess.run(
        [sys.executable, "-m", "jobs.runner.machine.sandbox", "looks_at_a_file"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip

    assert f"PermissionError: [Errno 13] Permission denied: '{file}'" in done.stderr
    assert (done.stdout, file.exists()) == ("16000000000\n", False)


def test_work_that_uses_up_its_cpu_time_is_told_so(runner: Runner) -> None:
    from tiny_kinds import SPIN, SpinParams

    job = runner.wait(runner.submit(SPIN, SpinParams()).job.job_id, BOUND_S)

    assert job.failure is not None
    assert (job.state, job.failure.code, job.exit_code) == ("failed", "limit_reached", -24)
    assert job.failure.message == "The work reached its limit of CPU time."


def _explained(work: str) -> str:
    """Run work under limits in a process of its own; return how its error is told."""
    program = (
        "from jobs.runner.machine import limits\n"
        "limits.Limits(memory_mb=300, cpu_s=60, file_mb=1).apply()\n"
        f"try:\n    {work}\nexcept Exception as error:\n    print(limits.explain(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    return done.stdout


def test_kinds_that_read_foreign_recordings_have_limits_by_length_and_models() -> None:
    kinds = all_kinds()
    book = {"audio": str(PROJECT_ROOT / "samples" / "fables.m4b"), "voice": "anna"}  # 67.8 s: 6,780 s more

    kind = kinds["ingest_audiobook"]
    assert kind.limits is not None
    found = [kind.limits(kind.params.model_validate({**book, "text": text})) for text in ("b.txt", None)]

    assert [(one.memory_mb, one.cpu_s // 60) for one in found] == [(8_000, 172), (24_000, 172)]
    assert {name for name, kind in kinds.items() if kind.limits is not None} == {
        "align",
        "apply_corrections",
        "ingest_audiobook",
        "ingest_clips",
    }


def test_memory_and_file_size_over_the_limit_are_told() -> None:
    file = "import tempfile; f = tempfile.TemporaryFile(); f.write(bytes(2_000_000)); f.flush()"
    limit_gb = 0.3 + 0.1 * (os.cpu_count() or 1)

    told = [_explained(work).splitlines()[0] for work in ("bytearray(1 << 40)", file)]

    assert told == [
        f"limit_reached: The work reached its limit of {limit_gb:g} GB of memory.",
        "limit_reached: The work reached its limit of 0.001 GB for a file.",
    ]


@pytest.mark.parametrize(
    "words",
    [
        "[enforce fail] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
        "8000000000 bytes. Error code 12 (Cannot allocate memory)",
        "[enforce fail] data. DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
    ],
)
def test_memory_that_torch_could_not_get_is_told_alike(words: str) -> None:
    assert "limit_reached: The work reached its limit of 0." in _explained(f"raise RuntimeError({words!r})")


def test_address_space_that_is_only_reserved_does_not_count() -> None:
    assert (
        _explained(
            "import mmap; mmap.mmap(-1, 1 << 34, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)"
        )
        == ""
    )


def test_errors_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    inside = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "own"))

    assert confinement.explain(inside, [tmp_path]) is None
    assert confinement.explain(MemoryError(), [tmp_path]) is None  # no limit is set here
    assert confinement.explain(PermissionError(errno.EACCES, "Permission denied"), [tmp_path]) is None
    assert confinement.explain(PermissionError(errno.EACCES, "x", "/proc/1/environ"), []) is None
    assert limits.explain_exit(-9) is None


def test_the_outputs_of_every_kind_are_found(settings: Settings, tmp_path: Path) -> None:
    """Beside the job's folder, which is in every list."""
    data, out = tmp_path / "data", tmp_path / "out"
    manifest = str(data / "train.jsonl")
    calls: dict[str, list[tuple[dict[str, object], list[Path]]]] = {
        "ingest_audiobook": [
            ({"audio": "b.m4b", "voice": "anna"}, [settings.home / "datasets" / "anna"]),
            ({"audio": "b.m4b", "voice": "anna", "out_dir": str(out)}, [out]),
        ],
        "ingest_clips": [({"transcripts": "t.jsonl", "voice": "anna"}, [settings.home / "datasets" / "anna"])],
        "setup": [
            ({}, [Settings.from_environment().envs, Settings.from_environment().uv_cache, PROJECT_ROOT / ".tools"])
        ],
        "apply_corrections": [({"manifest": manifest}, [data]), ({"manifest": manifest, "out_dir": str(out)}, [out])],
        "align": [({"manifest": manifest}, [data]), ({"manifest": manifest, "out": str(out / "a.jsonl")}, [out])],
        "convert_codes": [({"manifest": manifest}, [data])],
        "training": [({"manifest": manifest}, []), ({"manifest": manifest, "out_dir": str(out)}, [out])],
        "synthesize": [({"model": "toy", "texts": ["Hello."], "out_dir": str(out)}, [out])],
        "serve_voice": [({"voices": ["toy"]}, [])],
        "narrate": [({"model": "toy", "text": str(data / "book.txt"), "out_dir": str(out)}, [out])],
        "publish_voice": [
            ({"model": str(data / "voice")}, [data / "for-qwen-tts"]),
            ({"model": str(data / "voice"), "engine": "mlx-audio", "out_dir": str(out)}, [out]),
        ],
        "publish_dataset": [
            ({"manifest": manifest}, [data / "published"]),
            ({"manifest": manifest, "out_dir": str(out)}, [out]),
        ],
        "rate_samples": [
            ({"takes": str(data / "takes.jsonl"), "narrator_manifest": manifest}, [data]),
            (
                {"takes": str(data), "narrator_manifest": manifest, "out": str(out / "r"), "measures": "/m/j"},
                [out, Path("/m")],
            ),
        ],
        "tune_hparams": [({"manifest": manifest, "out_dir": str(out), "best_config": "/b/c.json"}, [out, Path("/b")])],
        "refine_voice": [({"manifest": manifest, "out_dir": str(out)}, [out])],
    }
    kinds = all_kinds()

    assert kinds.keys() == calls.keys()
    for name, expected in calls.items():
        for arguments, folders in expected:
            params = kinds[name].params.model_validate(arguments)
            assert list(confinement.find_outputs(kinds[name], params, settings)) == folders, name
