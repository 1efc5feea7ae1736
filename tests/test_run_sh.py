"""run.sh: the only entry works from anywhere, and refuses before it spends anything."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str, script: Path = ROOT / "run.sh", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **environment}, check=False
    )


def test_it_works_through_a_symlink_and_from_another_directory(tmp_path: Path) -> None:
    link = tmp_path / "tts-train"
    link.symlink_to(ROOT / "run.sh")
    second = tmp_path / "again"
    second.symlink_to("tts-train")

    answer = subprocess.run(
        [second, "setup", "server"], capture_output=True, text=True, cwd="/", timeout=60, check=False
    )

    envs = Path(os.environ.get("TTS_TRAIN_ENVS", ROOT / ".envs"))
    assert answer.returncode == 0, answer.stderr
    assert (envs / "server" / "bin" / "python").exists()


def test_an_unknown_environment_is_bad_input() -> None:
    answer = run("setup", "everything")

    assert answer.returncode == 2
    assert "server, ml or all" in answer.stderr


def test_a_small_disk_is_refused_before_anything_is_downloaded(tmp_path: Path) -> None:
    # The seam is the system's df: no test can fill a real disk.
    tools = tmp_path / "bin"
    tools.mkdir()
    df = tools / "df"
    df.write_text("#!/bin/sh\necho header\necho /dev/x 100000 90000 10000 90% /\n")
    df.chmod(0o755)
    envs = tmp_path / "envs"

    answer = run("setup", "ml", TTS_TRAIN_ENVS=str(envs), PATH=f"{tools}:{os.environ['PATH']}")

    assert answer.returncode == 1
    assert "8400 MB needed, 9 MB free" in answer.stderr
    assert not (envs / "ml").exists()
    assert not (envs / ".lock").exists()


def test_the_lock_of_a_killed_set_up_is_taken_over(tmp_path: Path) -> None:
    # Killed between making the lock and writing its process id; the set-up after it is refused for another reason.
    tools, envs = tmp_path / "bin", tmp_path / "envs"
    tools.mkdir()
    (tools / "df").write_text("#!/bin/sh\necho header\necho /dev/x 100000 90000 10000 90% /\n")
    (tools / "df").chmod(0o755)
    (envs / ".lock").mkdir(parents=True)

    answer = run("setup", "ml", TTS_TRAIN_ENVS=str(envs), PATH=f"{tools}:{os.environ['PATH']}")

    assert "MB needed" in answer.stderr
    assert not (envs / ".lock").exists()


def test_the_user_s_python_settings_stay_out(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the user folder was imported')\n")

    answer = subprocess.run(
        [ROOT / "run.sh", "doctor", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nonexistent"},
        check=False,
    )

    assert answer.stdout.startswith("{"), answer.stderr
